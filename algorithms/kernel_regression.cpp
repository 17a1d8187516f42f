#include <likewise/algorithms/kernel_regression.hpp>

#include <cmath>
#include <string>
#include <type_traits>
#include <utility>

#include <likewise/neighbor_count.hpp>
#include <likewise/operator.hpp>

#include "engine/call.hpp"
#include "parts/leave_one_out.hpp"
#include "parts/local_moments.hpp"
#include "parts/training_data.hpp"
#include "scores.hpp"
#include "select_bandwidth/places.hpp"

namespace likewise {
namespace {

void check_slots(const KernelRegressionOptions& o, Index n_points) {
  require(o.degree == 0 || o.degree == 1, "degree", "0 (weighted means) or 1 (weighted planes)", o.degree);
  require(o.support.filters().empty(), "support",
          "AllPairs, Neighbors or Radius: new points have no index in a filter", repr(o.support));
  if (const Neighbors* neighbors = o.support.neighbors())
    check_neighbor_count(neighbors->n_neighbors, n_points);
  require(rows_stand_alone(o.normalization), "normalization",
          "one whose rows stand alone: a prediction must not depend on what else is asked",
          repr(o.normalization));
  if (o.degree == 0) return;
  require(!points_are_costs(o.metric), "metric", "one of coordinates where degree=1", repr(o.metric));
  require(std::holds_alternative<RowStochastic>(o.normalization), "normalization",
          "RowStochastic() where degree=1", repr(o.normalization));
}

/// Points of weight 0 are not there, not even as one of k neighbors.
std::vector<Index> points_that_count(const Vector<double>& log_weights) {
  std::vector<Index> kept;
  for (Index i = 0; i < log_weights.size(); ++i)
    if (std::isfinite(log_weights(i))) kept.push_back(i);
  return kept;
}

template <class T>
KernelRegression<T> fit(const Points<T>& X, const Values<T>& Y, const KernelRegressionOptions& o,
                        LooLoss loss, const Execution& run) {
  check_training_data<T>(X, Y);
  const Vector<double> log_w = log_sample_weights(o.sample_weight, X.rows());
  const std::vector<Index> kept = points_that_count(log_w);
  if (static_cast<Index>(kept.size()) < X.rows() && !points_are_costs(o.metric)) {
    KernelRegressionOptions of_kept = o;
    of_kept.sample_weight = o.sample_weight(kept);
    return fit<T>(Matrix<T>(X(kept, Eigen::all)), Matrix<T>(Y(kept, Eigen::all)), of_kept, loss, run);
  }
  check_slots(o, X.rows());
  const Kernel kernel = filled_kernel(o.kernel, o.bandwidth, o.support);
  const Mechanism asked{o.metric, kernel, o.support, o.normalization, OneStep{}, o.empty_row};
  validate(asked);
  const int degree = X.cols() > local_linear_max_features ? 0 : o.degree;
  const Bandwidth* bandwidth = bandwidth_of(kernel);
  const bool loo = bandwidth != nullptr && bandwidth->rule() == "loo";
  std::vector<Index> point_of;
  if (loo || degree > 0) point_of = bandwidths::place_of_points<T>(X, log_w);
  const auto [mechanism, found] =
      loo ? find_loo_bandwidth<T>(asked, {X, Y, log_w, point_of}, loss, degree, run)
          : resolve_bandwidth<T>(asked, X, log_w, run);
  return {KeyedMechanism<T>(mechanism, found, PreparedKeys<T>(o.metric, X, log_w, run)), Y,
          std::move(point_of), degree, found};
}

/// Which points are copies: known from fitting where that asked for it, else found now.
template <class T> std::vector<Index> point_of(const KernelRegression<T>& fitted) {
  if (!fitted.point_of.empty()) return fitted.point_of;
  return bandwidths::place_of_points<T>(fitted.keyed.keys().points(), fitted.keyed.keys().log_weights());
}

template <class T>
double score_left_out(const KernelRegression<T>& fitted, Score score, const Execution& run) {
  const PreparedKeys<T>& keys = fitted.keyed.keys();
  const Points<T> points = keys.points();
  const Values<T> targets = fitted.targets;
  const std::vector<Index> copies = point_of(fitted);
  return leave_one_out_score<T>(fitted.keyed.mechanism(), {points, targets, keys.log_weights(), copies},
                                fitted.degree, score, run);
}

/// The keys in float64, in which rows are looked at.
template <class T> PreparedKeys<double> in_double(const PreparedKeys<T>& keys) {
  if constexpr (std::is_same_v<T, double>)
    return keys;
  else
    return {keys.metric(), Matrix<double>(keys.points().template cast<double>()), keys.log_weights()};
}

/// Degree 1 and standard deviations look at each row's weights.
template <class T>
KernelPrediction<T> predict_rows(const KernelRegression<T>& fitted, const Points<T>& X, bool return_std,
                                 const Execution& run) {
  const Matrix<double> targets = fitted.targets.template cast<double>();
  const LocalMoments local = local_moments(
      fitted.keyed.mechanism(), X.template cast<double>(), in_double(fitted.keyed.keys()), targets,
      {.degree = fitted.degree, .variance = return_std, .point_of = point_of(fitted)}, run);
  return {local.mean.template cast<T>(), local.variance.cwiseSqrt().template cast<T>(), local.n_reduced};
}

}  // namespace

template <class T>
KernelPrediction<T> KernelRegression<T>::predict(const Points<T>& X, bool return_std,
                                                 const Execution& run) const {
  const engine::Call call(run);
  require(!return_std || std::holds_alternative<RowStochastic>(keyed.mechanism().normalization), "return_std",
          "false without RowStochastic() weights, which a variance needs", "true");
  if (degree == 1 || return_std) return predict_rows(*this, X, return_std, run);
  return {keyed.at(X, run).apply(targets, run), {}, 0};
}

template <class T> double KernelRegression<T>::loo_score(const Execution& run) const {
  const engine::Call call(run);
  return score_left_out(*this, r_squared<double>, run);
}

template <class T>
Matrix<T> KernelClassification<T>::predict_proba(const Points<T>& X, const Execution& run) const {
  const engine::Call call(run);
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
  const engine::Call call(run);
  return largest_columns(predict_proba(X, run));
}

template <class T> double KernelClassification<T>::loo_score(const Execution& run) const {
  const engine::Call call(run);
  const auto share_found = [](const Matrix<double>& Y, const Matrix<double>& F,
                              const Vector<double>& weights) {
    return accuracy(largest_columns(Y), F, weights);
  };
  return score_left_out(regression, share_found, run);
}

template <class T>
KernelRegression<T> fit_kernel_regression(const Points<T>& X, const Values<T>& Y,
                                          const KernelRegressionOptions& o, const Execution& run) {
  const engine::Call call(run);
  return fit<T>(X, Y, o, LooLoss::squared_error, run);
}

template <class T>
KernelClassification<T> fit_kernel_classification(const Points<T>& X, const std::vector<Index>& labels,
                                                  Index n_classes, const KernelRegressionOptions& o,
                                                  const Execution& run) {
  const engine::Call call(run);
  run.require_memory(2 * static_cast<double>(X.rows()) * static_cast<double>(n_classes) * sizeof(T),
                     "a table of classes",
                     "let neighbors vote, who read labels (k_neighbors_classification, KNeighborsClassifier)",
                     std::to_string(X.rows()) + " points x " + std::to_string(n_classes) + " classes");
  return {fit<T>(X, one_hot<T>(labels, n_classes), o, LooLoss::log_loss, run)};
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
