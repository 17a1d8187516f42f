// From the products of a tile to its weights and derivatives, in one pass.
#pragma once

#include <cstddef>

namespace likewise::engine::simd {

/// Tiles are n x m, contiguous. scores holds s_ij and becomes w_ij = 2^(s_ij + row_shift_i + column_shift_j) (exponents
/// are cut off at the largest there is); dots holds d_ij and becomes g_ij = w_ij d_ij, whose sums of rows are written and
/// of columns added. Returns sum_ij s_ij g_ij.
template <class C>
double weigh_tile(std::ptrdiff_t n, std::ptrdiff_t m, const C* row_shift, const C* column_shift, C* scores,
                  C* dots, C* row_sums, C* column_sums);

}  // namespace likewise::engine::simd
