// Dense products of floats by the tile unit of AMX: each float as three bfloat16 parts, to float32's own error.
#pragma once

#include <cstddef>

#include "engine/simd/product.hpp"

namespace likewise::engine::simd {

/// Whether the processor, the operating system and the compiler that built this have bfloat16 tiles. The first call asks
/// Linux for their use by this process.
bool amx_available();

/// Whether a product of this shape is faster there. It reads operands of which one stride each is 1.
bool amx_pays(std::ptrdiff_t m, std::ptrdiff_t n, std::ptrdiff_t k, Strided<float> A, Strided<float> B);

/// multiply_add<float> for one instruction set.
using MultiplyFloats = void (*)(std::ptrdiff_t m, std::ptrdiff_t n, std::ptrdiff_t k, float alpha,
                                Strided<float> A, Strided<float> B, float* result,
                                std::ptrdiff_t result_stride);

/// result += alpha A B, as multiply_add has it, where amx_available(); one stride of A and one of B must be 1. Off by at most
/// 6e-8 of the sum of |alpha a b| and float32's rounding of the sum itself; parts below 2^-126 count as 0, which adds at most
/// 2^-124 of the sum of |a| and |alpha b|. Blocks whose operands are not finite are `otherwise`'s. A thread keeps at most 1.1
/// MB of scratch.
void amx_multiply_add(std::ptrdiff_t m, std::ptrdiff_t n, std::ptrdiff_t k, float alpha, Strided<float> A,
                      Strided<float> B, float* result, std::ptrdiff_t result_stride,
                      MultiplyFloats otherwise);

}  // namespace likewise::engine::simd
