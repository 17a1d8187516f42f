// Weighted moments of the targets and of the keys around each query.
#pragma once

#include <optional>
#include <vector>

#include <likewise/mechanism.hpp>

#include "operator/row_weights.hpp"

namespace likewise {

struct MomentOptions {
  int degree = 0;  ///< 0: weighted mean; 1: weighted plane at the query
  bool variance = false;
  std::optional<LeftOut> left_out = {};  ///< each query is a key, left out of its own row
  std::vector<Index> point_of = {};      ///< equal for keys that are copies; empty: all are distinct
};

struct LocalMoments {
  Matrix<double> mean;  ///< (n_queries, n_targets): the fit at the query
  Matrix<double>
      variance;         ///< the same shape, sum_j p_ij (y_j - m_i)^2 about the weighted mean m_i; or empty
  Index n_reduced = 0;  ///< queries of degree 1 that got degree 0
};

/// Moments of [y, y^2] and, at degree 1, [z, z z^T, z y] propagated by each row, about the row's own mean and
/// in float64, so that nothing cancels however far the keys are from the origin or however small the window
/// is.
LocalMoments local_moments(const Mechanism& mechanism, const Points<double>& X,
                           const PreparedKeys<double>& keys, const Values<double>& Y,
                           const MomentOptions& options, const Execution& run);

}  // namespace likewise
