// The normal distribution as an activation, in float32.
#pragma once

#include <cstddef>

namespace likewise::engine::simd {

/// x becomes x Phi(x), slope becomes Phi(x) + x phi(x), with the normal distribution Phi and its density phi. Relative error
/// 5e-7 + 6e-8 x^2 on both tails (the exponent is x^2 / 2); 0 where the density is no normal number.
void gelu(float* x, float* slope, std::ptrdiff_t n);

}  // namespace likewise::engine::simd
