// Sums of exponentials of a point set with itself: each weight is computed once and used for both of its points.
#pragma once

#include <cstddef>

namespace likewise::engine::simd {

/// Exponents to the base 2, symmetric and at most 0 + rounding: e_ij = query_bias_i + key_bias_j + query_scale <A_i, B_j>.
/// Rows of points follow one another; rows of values and sums, aligned, are value_stride(n_columns) apart.
template <class C> struct SymmetricPoints {
  const C* queries;
  C query_scale;
  const C* query_bias;
  const C* keys;
  const C* key_bias;
  std::ptrdiff_t width;
  const C* factor;  ///< r_j
  const C* values;  ///< r_j v_j, (n, n_columns)
  std::ptrdiff_t n_columns;
  std::ptrdiff_t stride;
  C* mass;  ///< sums of 2^e_ij r_j are added to these
  C* sums;  ///< and of 2^e_ij r_j v_j, (n, n_columns)
};

/// n_columns padded to whole vectors where there are several.
template <class C> std::ptrdiff_t value_stride(std::ptrdiff_t n_columns);

struct Range {
  std::ptrdiff_t begin, size;
};

/// Adds what `keys` mean to `queries` and, with `mirror`, what queries mean to keys; O(n_queries n_keys (width + n_columns)) time,
/// scratch of O(n_queries (width + n_columns) + n_keys).
template <class C>
void sum_symmetric(const SymmetricPoints<C>& points, Range queries, Range keys, bool mirror);

}  // namespace likewise::engine::simd
