// Masses and weighted sums of exponentials for a block of queries: the fused loop, compiled for each instruction set.
#pragma once

#include <cstddef>

#include "engine/terms/pair_mask.hpp"
#include "engine/terms/scores.hpp"

namespace likewise::engine::simd {

/// How a block's pairs get exponents where these are no inner products: scores, then log2 phi + key_weight. Arrays are
/// indexed as the block's queries and keys are.
template <class C> struct ScoreTerms {
  ScoreWay way;
  Profile profile;
  const C* key_weight;          ///< to the base 2; -inf takes the key out
  const C* query_point_factor;  ///< of the kernel's input; nullptr: 1
  const C* key_point_factor;    ///< nullptr exactly if the other is
  C p = 1, query_factor = 1, factor = 1,
    unsure = 0;               ///< as in Scores; of the lift's pairs that are found again
  C least = 0;                ///< scores below are rounding
  const C* matrix = nullptr;  ///< given scores: that of pair (i, j) at matrix[i * query_step + j * key_step]
  std::ptrdiff_t query_step = 0, key_step = 0;
  const KernelEdge* edge = nullptr;  ///< pairs at the kernel's edge; `turned`: it calls our keys queries
  bool turned = false;
};

/// Exponents to the base 2: e_ij = query_bias_i + key_bias_j + query_scale <A_i, B_j>, never above `upper_bound` + the
/// rounding of a sum. Points are rows, `stride` apart; -inf as a key bias takes the key out.
template <class C> struct ExponentBlock {
  const C* queries;
  std::ptrdiff_t query_stride;
  const C* query_bias;
  std::ptrdiff_t n_queries;
  const C* keys;
  std::ptrdiff_t key_stride;
  const C* key_bias;
  std::ptrdiff_t n_keys;
  std::ptrdiff_t width;
  C query_scale;
  double upper_bound;
  const PairMask* mask = nullptr;                 ///< all pairs
  std::ptrdiff_t first_query = 0, first_key = 0;  ///< what the mask calls these
  /// Not nullptr: queries, keys, query_scale and the biases are those of a score (a lift's a and b, else 0).
  const ScoreTerms<C>* rule = nullptr;
};

/// sum_j 2^(e_ij - reference_i) [1, v_j] of each query; a query without mass has reference -inf and sums 0.
template <class C> struct PanelSums {
  const C* values;  ///< (n_keys, n_columns), rows `value_stride` apart
  std::ptrdiff_t value_stride;
  std::ptrdiff_t n_columns;
  double* reference;  ///< (n_queries,), to the base 2
  double* mass;       ///< (n_queries,)
  C* sums;            ///< (n_queries, n_columns), rows `sum_stride` apart
  std::ptrdiff_t sum_stride;
};

/// O(n_queries n_keys (width + n_columns)) time; scratch of some tens of kilobytes plus the queries' panels.
template <class C> void sum_panels(const ExponentBlock<C>& block, const PanelSums<C>& out);

/// out[i * stride + j] = e_ij ln 2 of a block with a rule, the mask aside: natural logarithms of weights.
template <class C> void fill_log_weights(const ExponentBlock<C>& block, C* out, std::ptrdiff_t stride);

/// Queries that are worked on together; a block of this many, or a multiple, wastes no lane.
std::ptrdiff_t panel_lanes(bool single_precision);

}  // namespace likewise::engine::simd
