#include "leave_one_out.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include <likewise/operator.hpp>

#include "local_moments.hpp"

namespace likewise {

template <class T>
Matrix<double> leave_one_out(const Mechanism& mechanism, const DistinctPoints<T>& data, int degree,
                             const Execution& run) {
  Mechanism others = mechanism;
  others.empty_row = EmptyRow::nearest;
  if (degree == 1) {
    const Matrix<double> points = data.points.template cast<double>();
    return local_moments(others, points, points, data.targets.template cast<double>(), data.log_weights,
                         {.degree = 1, .leave_one_out = true}, run)
        .mean;
  }
  others.support = left_out(mechanism.support, data.points.rows());
  const auto P = others.self_operator(data.points, {.log_key_weights = data.log_weights}, run);
  return P.apply(data.targets, run).template cast<double>();
}

namespace {

/// At degree 1: the length with the least squared error of local planes, on a grid over the lengths that
/// degree 0 went through and on one between the neighbors of its best.
template <class T>
void refine_for_planes(SelectedBandwidth& found, const Mechanism& mechanism, const DistinctPoints<T>& data,
                       const Execution& run) {
  if (found.grid.empty()) return;  // no two points differ for this metric
  const Vector<double> weights = (data.log_weights.array() - data.log_weights.maxCoeff()).exp();
  const auto loss = [&](double length) {
    Mechanism m = mechanism;
    m.kernel = with_bandwidth(m.kernel, length);
    const Matrix<double> error = leave_one_out(m, data, 1, run) - data.targets.template cast<double>();
    return weights.dot(error.rowwise().squaredNorm()) / weights.sum();
  };
  double low = found.grid.front(), high = found.grid.back();
  found.grid.clear();
  found.curve.clear();
  for (const int n : {16, 7}) {
    const double step = std::pow(high / low, 1.0 / (n - 1));
    for (int k = 0; k < n; ++k) {
      found.grid.push_back(low * std::pow(step, k));
      found.curve.push_back(loss(found.grid.back()));
    }
    const auto best = std::min_element(found.curve.begin(), found.curve.end()) - found.curve.begin();
    found.length = found.grid[static_cast<std::size_t>(best)];
    low = found.length / step;
    high = found.length * step;
  }
}

}  // namespace

template <class T>
ResolvedMechanism find_loo_bandwidth(Mechanism m, const DistinctPoints<T>& data, LooLoss loss, int degree,
                                     const Execution& run) {
  SelectedBandwidth found{.length = 1, .rule = "loo"};  // of one point every length says the same
  if (data.points.rows() > 1) {
    found = loo_bandwidth<T>(m, data.points, data.targets, loss, {.log_key_weights = data.log_weights}, run);
    if (degree == 1) refine_for_planes(found, m, data, run);
  }
  m.kernel = with_bandwidth(m.kernel, found.length);
  return {m, found};
}

double r_squared(const Matrix<double>& Y, const Matrix<double>& F, const Vector<double>& weights) {
  double sum = 0;
  for (Index c = 0; c < Y.cols(); ++c) {
    const double mean = weights.dot(Y.col(c)) / weights.sum();
    const double left = weights.dot((Y.col(c) - F.col(c)).cwiseAbs2());
    const double all = weights.dot((Y.col(c).array() - mean).square().matrix());
    sum += all > 0 ? 1 - left / all : (left == 0 ? 1.0 : 0.0);
  }
  return sum / static_cast<double>(Y.cols());
}

double accuracy(const Matrix<double>& Y, const Matrix<double>& F, const Vector<double>& weights) {
  const std::vector<Index> want = largest_columns(Y), got = largest_columns(F);
  double right = 0;
  for (std::size_t i = 0; i < want.size(); ++i)
    if (want[i] == got[i]) right += weights(static_cast<Index>(i));
  return right / weights.sum();
}

namespace {

/// Rows of `distinct` for all training points; weights 0 drop out by their weight.
template <class T>
Matrix<double> for_training_points(const Matrix<double>& distinct, const DistinctPoints<T>& data) {
  Matrix<double> all(static_cast<Index>(data.row_of.size()), distinct.cols());
  for (Index i = 0; i < all.rows(); ++i)
    all.row(i) = distinct.row(std::max<Index>(0, data.row_of[static_cast<std::size_t>(i)]));
  return all;
}

}  // namespace

template <class T>
double leave_one_out_score(const Mechanism& mechanism, const DistinctPoints<T>& data, const Values<T>& Y,
                           const Vector<double>& log_weights, int degree, Score score, const Execution& run) {
  if (data.points.rows() < 2) return std::numeric_limits<double>::quiet_NaN();
  const Matrix<double> F = for_training_points(leave_one_out(mechanism, data, degree, run), data);
  const Vector<double> weights = (log_weights.array() - log_weights.maxCoeff()).exp();
  return score(Y.template cast<double>(), F, weights);
}

#define LIKEWISE_INSTANTIATE(T)                                                                             \
  template Matrix<double> leave_one_out(const Mechanism&, const DistinctPoints<T>&, int, const Execution&); \
  template ResolvedMechanism find_loo_bandwidth(Mechanism, const DistinctPoints<T>&, LooLoss, int,          \
                                                const Execution&);                                          \
  template double leave_one_out_score(const Mechanism&, const DistinctPoints<T>&, const Values<T>&,         \
                                      const Vector<double>&, int, Score, const Execution&);
LIKEWISE_INSTANTIATE(float)
LIKEWISE_INSTANTIATE(double)
#undef LIKEWISE_INSTANTIATE

}  // namespace likewise
