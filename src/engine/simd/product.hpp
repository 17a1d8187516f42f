// Dense products C += alpha op(A) op(B) for the instruction set found at run time.
#pragma once

#include <cstddef>

namespace likewise::engine::simd {

/// Element (i, j) stands at data[i * row_stride + j * column_stride].
template <class C> struct Strided {
  const C* data;
  std::ptrdiff_t row_stride, column_stride;
};

/// result (m x n, rows `result_stride` apart, contiguous columns) += alpha A (m x k) B (k x n). One thread. Fastest where
/// one of A's strides and one of B's is 1: operands as they are, or transposed. O(m n k) time, at most 7 MB of scratch.
template <class C>
void multiply_add(std::ptrdiff_t m, std::ptrdiff_t n, std::ptrdiff_t k, C alpha, Strided<C> A, Strided<C> B,
                  C* result, std::ptrdiff_t result_stride);

}  // namespace likewise::engine::simd
