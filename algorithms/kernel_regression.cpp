#include <likewise/algorithms/kernel_regression.hpp>

#include <cmath>
#include <limits>
#include <string>

#include <likewise/operator.hpp>
#include <likewise/select_bandwidth.hpp>

#include "local_moments.hpp"
#include "training_data.hpp"

namespace likewise {
namespace {

// --- 1. predictions
// ---------------------------------------------------------------------------------------------------

template <class T>
KernelPrediction<T> predict_rows(const KernelRegression<T>& fitted, const Points<T>& X, bool return_std,
                                 const Execution& run) {
  const Matrix<double> targets = fitted.targets.template cast<double>();
  const LocalMoments local =
      local_moments(fitted.mechanism, X.template cast<double>(), fitted.points.template cast<double>(),
                    targets, fitted.log_key_weights,
                    {.degree = fitted.degree, .variance = return_std, .point_of = fitted.point_of}, run);
  return {local.mean.template cast<T>(), local.variance.cwiseSqrt().template cast<T>(), local.n_reduced};
}

/// Each distinct point predicted from the others, (m, n_targets).
template <class T>
Matrix<double> leave_one_out(const Mechanism& mechanism, const DistinctPoints<T>& data, int degree,
                             const Execution& run) {
  if (degree == 1) {
    const Matrix<double> points = data.points.template cast<double>();
    return local_moments(mechanism, points, points, data.targets.template cast<double>(), data.log_weights,
                         {.degree = 1, .leave_one_out = true}, run)
        .mean;
  }
  Mechanism others = mechanism;
  others.support = left_out(mechanism.support, data.points.rows());
  const auto P = others.self_operator(data.points, {.log_key_weights = data.log_weights}, run);
  return P.apply(data.targets, run).template cast<double>();
}

// --- 2. scores of leave-one-out predictions
// ---------------------------------------------------------------------------

/// Rows of `distinct` for all training points; weights 0 drop out by their weight.
template <class T>
Matrix<double> for_training_points(const Matrix<double>& distinct, const DistinctPoints<T>& data) {
  Matrix<double> all(static_cast<Index>(data.row_of.size()), distinct.cols());
  for (Index i = 0; i < all.rows(); ++i)
    all.row(i) = distinct.row(std::max<Index>(0, data.row_of[static_cast<std::size_t>(i)]));
  return all;
}

/// 1 - sum w (y - f)^2 / sum w (y - mean)^2, averaged over targets; of a constant target 1 if it is met, else
/// 0.
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

/// The weighted share of rows in which both have their largest value in the same column.
double accuracy(const Matrix<double>& Y, const Matrix<double>& F, const Vector<double>& weights) {
  const std::vector<Index> want = largest_columns(Y), got = largest_columns(F);
  double right = 0;
  for (std::size_t i = 0; i < want.size(); ++i)
    if (want[i] == got[i]) right += weights(static_cast<Index>(i));
  return right / weights.sum();
}

using Score = double (*)(const Matrix<double>& Y, const Matrix<double>& F, const Vector<double>& weights);

// --- 3. the bandwidth
// -------------------------------------------------------------------------------------------------

/// At degree 1: the length with the least squared error of local planes, on the grid that degree 0 went
/// through.
template <class T>
void refine_for_planes(SelectedBandwidth& found, const Mechanism& mechanism, const DistinctPoints<T>& data,
                       const Execution& run) {
  constexpr std::size_t most_lengths = 16;
  const Vector<double> weights = (data.log_weights.array() - data.log_weights.maxCoeff()).exp();
  const std::size_t step = (found.grid.size() + most_lengths - 1) / most_lengths;
  std::vector<double> grid, curve;
  for (std::size_t k = 0; k < found.grid.size(); k += step) {
    Mechanism m = mechanism;
    m.kernel = with_bandwidth(m.kernel, found.grid[k]);
    const Matrix<double> error = leave_one_out(m, data, 1, run) - data.targets.template cast<double>();
    grid.push_back(found.grid[k]);
    curve.push_back(weights.dot(error.rowwise().squaredNorm()) / weights.sum());
  }
  if (grid.empty()) return;
  const auto best = std::min_element(curve.begin(), curve.end()) - curve.begin();
  found.length = grid[static_cast<std::size_t>(best)];
  found.grid = grid;
  found.curve = curve;
}

template <class T>
ResolvedMechanism find_bandwidth(Mechanism m, const DistinctPoints<T>& data, LooLoss loss, int degree,
                                 const Execution& run) {
  const Bandwidth* bandwidth = bandwidth_of(m.kernel);
  if (bandwidth == nullptr || bandwidth->rule() != "loo")
    return resolve_bandwidth<T>(m, data.points, data.log_weights, run);
  // Of one point every length says the same.
  SelectedBandwidth found{.length = 1, .rule = "loo"};
  if (data.points.rows() > 1) {
    found = loo_bandwidth<T>(m, data.points, data.targets, loss, {.log_key_weights = data.log_weights}, run);
    if (degree == 1) refine_for_planes(found, m, data, run);
  }
  m.kernel = with_bandwidth(m.kernel, found.length);
  return {m, found};
}

// --- 4. both estimators
// -----------------------------------------------------------------------------------------------

void check_slots(const KernelRegressionOptions& o, Index n_points) {
  require(o.degree == 0 || o.degree == 1, "degree", "0 (weighted means) or 1 (weighted planes)", o.degree);
  require(o.support.filters().empty(), "support",
          "AllPairs, Neighbors or Radius: new points have no index in a filter", repr(o.support));
  if (const Neighbors* neighbors = o.support.neighbors())
    require(neighbors->n_neighbors <= n_points, "n_neighbors",
            "an int in [1, " + std::to_string(n_points) + "] (the training points)", neighbors->n_neighbors);
  if (o.degree == 0) return;
  require(!std::holds_alternative<Precomputed>(o.metric), "metric", "one of coordinates where degree=1",
          repr(o.metric));
  require(std::holds_alternative<RowStochastic>(o.normalization), "normalization",
          "RowStochastic() where degree=1", repr(o.normalization));
}

template <class T>
KernelRegression<T> fit(const Points<T>& X, const Values<T>& Y, const KernelRegressionOptions& o,
                        LooLoss loss, Score score, const Execution& run) {
  check_training_data<T>(X, Y);
  check_slots(o, X.rows());
  const int degree = X.cols() > local_linear_max_features ? 0 : o.degree;
  const Vector<double> log_w = log_sample_weights(o.sample_weight, X.rows());
  const DistinctPoints<T> data = distinct_points<T>(o.metric, X, Y, log_w);
  const Mechanism asked{o.metric, filled_kernel(o.kernel, o.bandwidth, o.support), o.support, o.normalization,
                        o.empty_row};
  validate(asked);
  const ResolvedMechanism found = find_bandwidth(asked, data, loss, degree, run);
  double loo_score = std::numeric_limits<double>::quiet_NaN();
  if (data.points.rows() > 1) {
    const Matrix<double> F = for_training_points(leave_one_out(found.mechanism, data, degree, run), data);
    const Vector<double> weights = (log_w.array() - log_w.maxCoeff()).exp();
    loo_score = score(Y.template cast<double>(), F, weights);
  }
  return {found.mechanism, X, Y, log_w, data.row_of, degree, found.bandwidth, loo_score};
}

}  // namespace

template <class T>
KernelPrediction<T> KernelRegression<T>::predict(const Points<T>& X, bool return_std,
                                                 const Execution& run) const {
  require(!return_std || std::holds_alternative<RowStochastic>(mechanism.normalization), "return_std",
          "false without RowStochastic() weights, which a variance needs", "true");
  if (degree == 1 || return_std) return predict_rows(*this, X, return_std, run);
  const auto P = mechanism.cross_operator(X, points, {.log_key_weights = log_key_weights}, run);
  return {P.apply(targets, run), {}, 0};
}

template <class T>
Matrix<T> KernelClassification<T>::predict_proba(const Points<T>& X, const Execution& run) const {
  Matrix<T> proba = regression.predict(X, false, run).mean.cwiseMax(T(0)).cwiseMin(T(1));
  for (Index i = 0; i < proba.rows(); ++i) {
    const T sum = proba.row(i).sum();
    if (sum > 0)
      proba.row(i) /= sum;
    else
      proba.row(i).setConstant(T(1) / static_cast<T>(proba.cols()));
  }
  return proba;
}

template <class T>
std::vector<Index> KernelClassification<T>::predict(const Points<T>& X, const Execution& run) const {
  return largest_columns(predict_proba(X, run));
}

template <class T>
KernelRegression<T> fit_kernel_regression(const Points<T>& X, const Values<T>& Y,
                                          const KernelRegressionOptions& o, const Execution& run) {
  return fit<T>(X, Y, o, LooLoss::squared_error, r_squared, run);
}

template <class T>
KernelClassification<T> fit_kernel_classification(const Points<T>& X, const std::vector<Index>& labels,
                                                  Index n_classes, const KernelRegressionOptions& o,
                                                  const Execution& run) {
  return {fit<T>(X, one_hot<T>(labels, n_classes), o, LooLoss::log_loss, accuracy, run)};
}

#define LIKEWISE_INSTANTIATE(T)                                                                         \
  template struct KernelRegression<T>;                                                                  \
  template struct KernelClassification<T>;                                                              \
  template KernelRegression<T> fit_kernel_regression(const Points<T>&, const Values<T>&,                \
                                                     const KernelRegressionOptions&, const Execution&); \
  template KernelClassification<T> fit_kernel_classification(                                           \
      const Points<T>&, const std::vector<Index>&, Index, const KernelRegressionOptions&, const Execution&);
LIKEWISE_INSTANTIATE(float)
LIKEWISE_INSTANTIATE(double)
#undef LIKEWISE_INSTANTIATE

}  // namespace likewise
