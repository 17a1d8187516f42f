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
  if (scaling.empty_row == EmptyRow::error)  // asked for every row: words are made only where it is refused
    refuse("empty_row",
           "'zero', 'nearest' or 'self' where a row of the operator has no mass (widen the bandwidth or the "
           "support)",
           "'error' and row " + std::to_string(row) + " without mass");
  return scaling.empty_row == EmptyRow::nearest ? nearest : -1;
}

inline bool may_be_replaced(const Scaling& scaling) { return scaling.by_row_mass && scaling.null_mass == 0; }

/// Turns log K_ij + log r_j of a row into weights relative to the largest of them, in place. Returns what divides them: their
/// sum and the null mass; 0 where all of them are 0.
inline double weigh_by_mass(const Scaling& scaling, Eigen::Ref<Eigen::ArrayXd> log_row) {
  constexpr double largest = std::numeric_limits<double>::max();
  double top = log_row.size() ? log_row.maxCoeff() : -std::numeric_limits<double>::infinity();
  if (top > largest) log_row = log_row.min(top = largest);  // an overflowed score: the largest there is
  if (top < -largest) {
    log_row.setZero();
    return 0;
  }
  const double mass = engine::simd::exp_row(log_row.data(), log_row.size(), top);
  return mass + (scaling.null_mass > 0 ? std::exp(std::log(scaling.null_mass) - top) : 0);
}

/// Turns log K_ij + log r_j of a row into the row of the scaled matrix, in place. Under a scaling by row mass l comes from
/// the row itself: a far point's logarithms are so large that adding log l to them would lose every digit.
inline void scale_row(const Scaling& scaling, Index row, Eigen::Ref<Eigen::ArrayXd> log_row) {
  if (!scaling.by_row_mass) {
    engine::simd::exp_row(log_row.data(), log_row.size(), -scaling.log_left->get()(row));
    return;
  }
  if (const double mass = weigh_by_mass(scaling, log_row); mass > 0) log_row /= mass;
}

}  // namespace likewise
