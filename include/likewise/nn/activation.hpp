// What bends a layer's features: GELU and ReLU, each with its slope.
#pragma once

#include <likewise/execution.hpp>
#include <likewise/types.hpp>

namespace likewise::nn {

/// gelu: x Phi(x) with the normal distribution Phi itself, not its tanh approximation (Hendrycks and Gimpel
/// 2016; torch.nn.GELU). relu: max(x, 0), of slope 0 at 0.
enum class Activation { gelu, relu };

/// x becomes f(x), slope becomes f'(x); slope takes x's shape. Float64 to rounding; float32's GELU to a relative
/// 5e-7 + 6e-8 x^2 (its exponent is x^2 / 2), on both tails. O(entries).
template <class T>
void activate(Activation activation, Matrix<T>& x, Matrix<T>& slope, const Execution& run = {});

}  // namespace likewise::nn
