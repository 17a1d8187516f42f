#include "local_moments.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <utility>
#include <vector>

#include <Eigen/Cholesky>

#include <likewise/algorithms/parts/local_plane.hpp>

namespace likewise {
namespace {

using RowVector = Eigen::RowVectorXd;

// A coordinate whose keys spread less than this, relative to their distance from the query, has no slope:
// beyond rounding nothing is known of it.
constexpr double least_spread = 1e-12;

/// What the plane through (mean key, mean target) adds at `offset` = query - mean key: offset^T (S +
/// ridge)^-1 C with the covariances S of the keys and C of keys and targets. Solved for correlations, so that
/// units do not matter.
RowVector slope_at(const RowVector& offset, const Matrix<double>& keys, const Matrix<double>& targets,
                   const Vector<double>& weights) {
  const Matrix<double> weighted = weights.asDiagonal() * keys;
  const Eigen::MatrixXd S = keys.transpose() * weighted;
  Vector<double> scale = S.diagonal().cwiseSqrt();
  for (Index k = 0; k < scale.size(); ++k)
    scale(k) = scale(k) > least_spread * std::abs(offset(k)) ? 1 / scale(k) : 0.0;
  Eigen::MatrixXd correlation = scale.asDiagonal() * S * scale.asDiagonal();
  correlation.diagonal().setConstant(1 + local_linear_ridge);
  const Eigen::MatrixXd C = scale.asDiagonal() * (weighted.transpose() * targets);
  return (offset * scale.asDiagonal()) * correlation.ldlt().solve(C);
}

bool any_copies(const std::vector<Index>& point_of) {
  std::vector<bool> seen(point_of.size());
  return std::any_of(point_of.begin(), point_of.end(), [&](Index point) {
    if (point < 0) return false;
    const auto at = static_cast<std::size_t>(point);
    const bool again = seen[at];
    seen[at] = true;
    return again;
  });
}

/// 1 / sum of p^2, copies of a point counted as one point; `point_of` empty: there are none.
double effective_points(const RowWeights& row, const Vector<double>& p, const std::vector<Index>& point_of) {
  if (point_of.empty()) return 1 / p.squaredNorm();
  std::vector<std::pair<Index, double>>
      shares;  // of the row's own keys: a number for each training point would cost more
  for (std::size_t a = 0; a < row.keys.size(); ++a)
    shares.emplace_back(point_of[static_cast<std::size_t>(row.keys[a])], p(static_cast<Index>(a)));
  std::sort(shares.begin(), shares.end());
  double squares = 0, mass = 0;
  for (std::size_t a = 0; a < shares.size(); ++a) {
    mass += shares[a].second;
    if (a + 1 < shares.size() && shares[a + 1].first == shares[a].first) continue;
    squares += mass * mass;
    mass = 0;
  }
  return 1 / squares;
}

}  // namespace

LocalMoments local_moments(const Mechanism& mechanism, const Points<double>& X,
                           const PreparedKeys<double>& prepared, const Values<double>& Y,
                           const MomentOptions& options, const Execution& run) {
  const Matrix<double>& Z = prepared.points();
  LocalMoments local{Matrix<double>::Zero(X.rows(), Y.cols()), {}, 0};
  if (options.variance) local.variance = Matrix<double>::Zero(X.rows(), Y.cols());
  const std::vector<Index> point_of = any_copies(options.point_of) ? options.point_of : std::vector<Index>{};
  std::atomic<Index> n_reduced = 0;
  for_each_row(mechanism, X, prepared, options.left_out, run, [&](Index i, const RowWeights& row) {
    const double mass = row.weights.sum();  // 1, less under a null mass, 0 in an empty row
    if (mass == 0) return;
    const Vector<double> p = row.weights / mass;
    Matrix<double> targets = Y(row.keys, Eigen::all);
    const RowVector mean = p.transpose() * targets;
    targets.rowwise() -= mean;
    local.mean.row(i) = mass * mean;
    if (options.variance) local.variance.row(i) = p.transpose() * targets.cwiseAbs2();
    if (options.degree == 0) return;
    if (effective_points(row, p, point_of) < static_cast<double>(Z.cols() + 1)) {
      ++n_reduced;
      return;
    }
    Matrix<double> keys =
        Z(row.keys, Eigen::all).rowwise() - X.row(i);  // first: differences of near points are exact
    const RowVector center = p.transpose() * keys;
    keys.rowwise() -= center;
    local.mean.row(i) += mass * slope_at(-center, keys, targets, p);
  });
  local.n_reduced = n_reduced;
  return local;
}

}  // namespace likewise
