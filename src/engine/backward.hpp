// The derivative of a weighted sum by everything that makes its weights, recomputing them tile by tile.
#pragma once

#include <memory>

#include <likewise/execution.hpp>

#include "engine/log_weights.hpp"

namespace likewise::engine {

/// P_ij = exp(log K_ij + log_left_i + log_right_j), and dL/d log K_ij = P_ij <by_row_i, by_key_j>. The first n_columns of
/// by_row are dL/dY and those of by_key are V, so that Y = P V; what follows is what the normalization adds.
template <class T> struct BackwardTerms {
  Vector<double> log_left, log_right;
  Matrix<T> by_row;  ///< (n_queries, n_columns + more)
  Matrix<T> by_key;  ///< (n_keys, n_columns + more)
  Index n_columns;
  bool one_point_set =
      false;  ///< queries are the keys, and only the sum of what a point gets as both is asked for
};

template <class T> struct BackwardSums {
  Matrix<T> values;                ///< P^T dL/dY, (n_keys, n_columns)
  Vector<double> log_key_weights;  ///< (n_keys,): sum_i dL/d log K_ij
  double scale = 0;                ///< dL/d(bandwidth or temperature)
  std::unique_ptr<CostPull<T>>
      pull;  ///< what the costs add up to; nullptr where the metric has no derivative
};

/// Five products of n_queries x n_keys; O(n_queries + n_keys) memory beyond tiles. A latin square of blocks, fixed by
/// shape: no two at work share queries or keys, and each sum has one order, whatever the number of threads. One point set
/// under a symmetric lift: pairs (i, j) and (j, i) together, in a tournament, which halves three of the products.
template <class T>
BackwardSums<T> backward(const LogWeights<T>& K, const BackwardTerms<T>& terms, const Execution& run);

}  // namespace likewise::engine
