// The derivative of a weighted sum by everything that makes its weights, recomputing them tile by tile.
#pragma once

#include <memory>

#include <likewise/execution.hpp>

#include "engine/log_weights.hpp"

namespace likewise::engine {

/// P_ij = exp(log K_ij + log_left_i + log_right_j), Y = P V, and
///
///     dL/d log K_ij = P_ij (<dL/dY_i, V_j> - deduction_i - row_deduction_i key_deduction_j),
///
/// where the deductions are what the normalization adds; an empty one is 0. dL/dY and V are the caller's.
template <class T> struct BackwardTerms {
  Vector<double> log_left, log_right;
  Values<T> grad;                                    ///< dL/dY, (n_queries, n_columns)
  Values<T> values;                                  ///< V, (n_keys, n_columns)
  Vector<T> deduction = {};                          ///< (n_queries,)
  Vector<T> row_deduction = {}, key_deduction = {};  ///< (n_queries,) and (n_keys,)
  bool by_values = true;                             ///< whether dL/dV is asked for
  bool one_point_set =
      false;  ///< queries are the keys, and only the sum of what a point gets as both is asked for

  /// dL/dP_ij where the normalization follows.
  T by_weight(Index i, Index j) const {
    T found = grad.row(i).dot(values.row(j));
    if (deduction.size()) found -= deduction(i);
    if (row_deduction.size()) found -= row_deduction(i) * key_deduction(j);
    return found;
  }
};

template <class T> struct BackwardSums {
  Matrix<T> values;                 ///< P^T dL/dY, (n_keys, n_columns), where asked for
  Vector<double> log_key_weights;   ///< (n_keys,): sum_i dL/d log K_ij
  double scale = 0;                 ///< dL/d(bandwidth or temperature)
  std::unique_ptr<CostVjp<T>> vjp;  ///< what the costs add up to; nullptr where the metric has no derivative
};

/// Five products of n_queries x n_keys; O(n_queries + n_keys) memory beyond tiles. A latin square of blocks, fixed by
/// shape: no two at work share queries or keys, and each sum has one order, whatever the number of threads. One point set
/// under a symmetric lift: pairs (i, j) and (j, i) together, in a tournament, which halves three of the products.
template <class T>
BackwardSums<T> backward(const LogWeights<T>& K, const BackwardTerms<T>& terms, const Execution& run);

}  // namespace likewise::engine
