#include "leave_one_out.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include <likewise/operator.hpp>

#include "local_moments.hpp"
#include "select_bandwidth/places.hpp"

namespace likewise {

namespace {

/// Training points as keys, and as more keys what is left of weights above 1 where their point is left out.
template <class T> struct SplitKeys {
  Matrix<T> points, targets;
  Vector<double> log_weights;
  std::vector<Index> row;       ///< the point that each key is of
  std::vector<Index> point_of;  ///< as in the training data

  SplitKeys(const Metric& metric, const TrainingData<T>& data, std::vector<Index> rows,
            const std::vector<double>& weights)
      : points(data.points(rows, Eigen::all)),
        targets(data.targets(rows, Eigen::all)),
        log_weights(Eigen::Map<const Vector<double>>(weights.data(), static_cast<Index>(weights.size()))),
        row(std::move(rows)) {
    if (points_are_costs(metric)) points = Matrix<T>(points(Eigen::all, row));
    for (const Index i : row) point_of.push_back(data.point_of[static_cast<std::size_t>(i)]);
  }
};

/// Points of weight min(1, w), and behind them the rests, which everybody hears: a weight of 2 is a row twice, and leaving a row
/// out is `LeaveOneOut`.
template <class T> SplitKeys<T> shared_rests(const Metric& metric, const TrainingData<T>& data) {
  std::vector<Index> rows;
  std::vector<double> weights;
  for (Index i = 0; i < data.points.rows(); ++i) {
    rows.push_back(i);
    weights.push_back(std::min(data.log_weights(i), 0.0));
  }
  for (Index i = 0; i < data.points.rows(); ++i)
    if (const double rest = bandwidths::log_rest_of(data.log_weights(i)); std::isfinite(rest)) {
      rows.push_back(i);
      weights.push_back(rest);
    }
  return {metric, data, std::move(rows), weights};
}

/// Points of their whole weight, and beside each its rest, which it hears alone.
template <class T> SplitKeys<T> own_rests(const Metric& metric, const TrainingData<T>& data) {
  std::vector<Index> rows;
  std::vector<double> weights;
  for (Index i = 0; i < data.points.rows(); ++i) {
    rows.push_back(i);
    weights.push_back(data.log_weights(i));
    if (const double rest = bandwidths::log_rest_of(data.log_weights(i)); std::isfinite(rest)) {
      rows.push_back(i);
      weights.push_back(rest);
    }
  }
  return {metric, data, std::move(rows), weights};
}

/// A row at a time: local planes, and neighbors of which a key is one of k whatever its weight.
template <class T>
Matrix<double> leave_out_by_rows(const Mechanism& mechanism, const TrainingData<T>& data, int degree,
                                 const Execution& run) {
  const SplitKeys<T> keys = own_rests(mechanism.metric, data);
  Matrix<double> queries = data.points.template cast<double>();
  if (points_are_costs(mechanism.metric)) queries = Matrix<double>(queries(Eigen::all, keys.row));
  const PreparedKeys<double> prepared(mechanism.metric, keys.points.template cast<double>(),
                                      keys.log_weights);
  return local_moments(mechanism, queries, prepared, keys.targets.template cast<double>(),
                       {.degree = degree, .left_out = LeftOut{keys.row}, .point_of = keys.point_of}, run)
      .mean;
}

bool any_rest(const Vector<double>& log_weights) {
  return std::any_of(log_weights.begin(), log_weights.end(),
                     [](double w) { return std::isfinite(bandwidths::log_rest_of(w)); });
}

}  // namespace

template <class T>
Matrix<double> leave_one_out(const Mechanism& mechanism, const TrainingData<T>& data, int degree,
                             const Execution& run) {
  Mechanism others = mechanism;
  others.empty_row = EmptyRow::nearest;
  const bool counted =
      !mechanism.support.is_all_pairs() && std::holds_alternative<RowStochastic>(mechanism.normalization);
  if (degree == 1 || (counted && any_rest(data.log_weights)))
    return leave_out_by_rows(others, data, degree, run);
  const SplitKeys<T> keys = shared_rests(mechanism.metric, data);
  others.support = left_out(mechanism.support, keys.points.rows());
  const auto P = others.self_operator(keys.points, {.log_key_weights = keys.log_weights}, run);
  return P.apply(keys.targets, run).template cast<double>().topRows(data.points.rows());
}

namespace {

/// At degree 1: the length with the least squared error of local planes, on a grid over the lengths that
/// degree 0 went through and on one between the neighbors of its best.
template <class T>
void refine_for_planes(SelectedBandwidth& found, const Mechanism& mechanism, const TrainingData<T>& data,
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
ResolvedMechanism find_loo_bandwidth(Mechanism m, const TrainingData<T>& data, LooLoss loss, int degree,
                                     const Execution& run) {
  SelectedBandwidth found{.length = 1, .rule = "loo"};  // of one point every length says the same
  if (data.points.rows() > 1) {
    found = loo_bandwidth<T>(m, data.points, data.targets, loss, {.log_key_weights = data.log_weights}, run);
    if (degree == 1) refine_for_planes(found, m, data, run);
  }
  m.kernel = with_bandwidth(m.kernel, found.length);
  return {m, found};
}

template <class T>
double leave_one_out_score(const Mechanism& mechanism, const TrainingData<T>& data, int degree, Score score,
                           const Execution& run) {
  const Vector<double> weights = (data.log_weights.array() - data.log_weights.maxCoeff()).exp();
  const bool alone = (weights.array() > 0).count() == 1 && !(data.log_weights.maxCoeff() > 0);
  if (alone) return std::numeric_limits<double>::quiet_NaN();
  return score(data.targets.template cast<double>(), leave_one_out(mechanism, data, degree, run), weights);
}

#define LIKEWISE_INSTANTIATE(T)                                                                           \
  template Matrix<double> leave_one_out(const Mechanism&, const TrainingData<T>&, int, const Execution&); \
  template ResolvedMechanism find_loo_bandwidth(Mechanism, const TrainingData<T>&, LooLoss, int,          \
                                                const Execution&);                                        \
  template double leave_one_out_score(const Mechanism&, const TrainingData<T>&, int, Score, const Execution&);
LIKEWISE_INSTANTIATE(float)
LIKEWISE_INSTANTIATE(double)
#undef LIKEWISE_INSTANTIATE

}  // namespace likewise
