// A row of log weights becomes a row of the operator; what a row without mass becomes.
#pragma once

#include <cmath>
#include <limits>
#include <string>

#include <likewise/error.hpp>

#include "engine/simd/exp_row.hpp"
#include "operator/kernel_matrix.hpp"

namespace likewise {

/// What a row without mass does: the key whose value it takes, or -1 for 0.
inline Index stand_in(const Scaling& scaling, Index row, Index nearest) {
  require(scaling.empty_row != EmptyRow::error, "empty_row",
          "'zero' or 'nearest' where a row of the operator has no mass (widen the bandwidth or the support)",
          "'error' and row " + std::to_string(row) + " without mass");
  return scaling.empty_row == EmptyRow::nearest ? nearest : -1;
}

inline bool may_be_replaced(const Scaling& scaling) { return scaling.by_row_mass && scaling.null_mass == 0; }

/// Turns log K_ij + log r_j of a row into the row of the scaled matrix, in place. Under a scaling by row mass l comes from
/// the row itself: a far point's logarithms are so large that adding log l to them would lose every digit.
inline void scale_row(const Scaling& scaling, Index row, Eigen::Ref<Eigen::ArrayXd> log_row) {
  constexpr double largest = std::numeric_limits<double>::max();
  if (!scaling.by_row_mass) {
    engine::simd::exp_row(log_row.data(), log_row.size(), -scaling.log_left->get()(row));
    return;
  }
  double top = log_row.size() ? log_row.maxCoeff() : -std::numeric_limits<double>::infinity();
  if (top > largest) log_row = log_row.min(top = largest);  // an overflowed score: the largest there is
  if (top < -largest) {
    log_row.setZero();
    return;
  }
  const double mass = engine::simd::exp_row(log_row.data(), log_row.size(), top);
  log_row /= (mass + (scaling.null_mass > 0 ? std::exp(std::log(scaling.null_mass) - top) : 0));
}

}  // namespace likewise
