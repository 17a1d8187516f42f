#include "training_data.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>

#include <likewise/operator.hpp>

#include "operator/checks.hpp"

namespace likewise {

template <class T> void check_training_data(const Points<T>& X, const Values<T>& Y) {
  check_points<T>("X", X);
  check_points<T>("y", Y);
  require(Y.rows() == X.rows(), "y", "of length " + std::to_string(X.rows()) + " (a row for each point of X)",
          "length " + std::to_string(Y.rows()));
}

Vector<double> log_sample_weights(const Vector<double>& sample_weight, Index n) {
  if (sample_weight.size() == 0) return Vector<double>::Zero(n);
  require(sample_weight.size() == n, "sample_weight",
          "of length " + std::to_string(n) + " (one for each point)",
          "length " + std::to_string(sample_weight.size()));
  require(sample_weight.allFinite() && sample_weight.minCoeff() >= 0, "sample_weight",
          "finite and not negative", "a negative, infinite or NaN weight");
  require(sample_weight.maxCoeff() > 0, "sample_weight", "positive for at least one point", "zeros only");
  return sample_weight.array().log();
}

template <class T> Matrix<T> one_hot(const std::vector<Index>& labels, Index n_classes) {
  Matrix<T> columns = Matrix<T>::Zero(static_cast<Index>(labels.size()), n_classes);
  for (Index i = 0; i < columns.rows(); ++i) {
    const Index label = labels[static_cast<std::size_t>(i)];
    require(0 <= label && label < n_classes, "labels", "classes in [0, " + std::to_string(n_classes) + ")",
            label);
    columns(i, label) = 1;
  }
  return columns;
}

template <class T> std::vector<Index> largest_columns(const Matrix<T>& values) {
  std::vector<Index> largest(static_cast<std::size_t>(values.rows()));
  for (Index i = 0; i < values.rows(); ++i) values.row(i).maxCoeff(&largest[static_cast<std::size_t>(i)]);
  return largest;
}

namespace {

/// Points of positive weight, copies side by side.
template <class T>
std::vector<Index> sorted_by_content(const Points<T>& X, const Vector<double>& log_weights) {
  std::vector<Index> order;
  for (Index i = 0; i < X.rows(); ++i)
    if (std::isfinite(log_weights(i))) order.push_back(i);
  std::stable_sort(order.begin(), order.end(), [&](Index a, Index b) {
    return std::lexicographical_compare(X.row(a).begin(), X.row(a).end(), X.row(b).begin(), X.row(b).end());
  });
  return order;
}

/// For each training point its first copy's number among the distinct ones, in the order of first appearance.
template <class T>
std::vector<Index> number_distinct(const Points<T>& X, const std::vector<Index>& order,
                                   std::vector<Index>& first) {
  std::vector<Index> first_copy(static_cast<std::size_t>(X.rows()), -1);
  for (std::size_t k = 0; k < order.size(); ++k) {
    const bool copy = k > 0 && X.row(order[k]) == X.row(order[k - 1]);
    first_copy[static_cast<std::size_t>(order[k])] =
        copy ? first_copy[static_cast<std::size_t>(order[k - 1])] : order[k];
  }
  std::vector<Index> row_of(first_copy.size(), -1);
  for (std::size_t i = 0; i < first_copy.size(); ++i) {
    if (first_copy[i] < 0) continue;
    const bool is_first = first_copy[i] == static_cast<Index>(i);
    row_of[i] = is_first ? static_cast<Index>(first.size()) : row_of[static_cast<std::size_t>(first_copy[i])];
    if (is_first) first.push_back(static_cast<Index>(i));
  }
  return row_of;
}

}  // namespace

template <class T>
DistinctPoints<T> distinct_points(const Metric& metric, const Points<T>& X, const Values<T>& Y,
                                  const Vector<double>& log_weights) {
  std::vector<Index> first;
  const std::vector<Index> row_of = number_distinct(X, sorted_by_content(X, log_weights), first);
  const Index m = static_cast<Index>(first.size());
  const double top = log_weights.maxCoeff();
  Vector<double> weights = Vector<double>::Zero(m);
  Matrix<double> sums = Matrix<double>::Zero(m, Y.cols());
  for (Index i = 0; i < X.rows(); ++i) {
    const Index row = row_of[static_cast<std::size_t>(i)];
    if (row < 0) continue;
    const double w = std::exp(log_weights(i) - top);
    weights(row) += w;
    sums.row(row) += w * Y.row(i).template cast<double>();
  }
  const Matrix<double> means = weights.cwiseInverse().asDiagonal() * sums;
  Matrix<T> points = X(first, Eigen::all);
  if (std::holds_alternative<Precomputed>(metric)) points = Matrix<T>(points(Eigen::all, first));
  return {std::move(points), means.template cast<T>(), weights.array().log() + top, row_of};
}

Support left_out(const Support& support, Index n_points) {
  Support others = LeaveOneOut{};
  if (const Neighbors* neighbors = support.neighbors())
    return others & Support(Neighbors{std::min(neighbors->n_neighbors, n_points - 1), "none", false});
  return others & support;
}

Kernel filled_kernel(const Kernel& kernel, const Bandwidth& bandwidth, const Support& support) {
  if (bandwidth.is_open()) return kernel;
  if (const auto* indicator = std::get_if<Indicator>(&kernel); indicator && indicator->bandwidth.is_open())
    return bandwidth.is_number() || support.is_all_pairs() ? Indicator{bandwidth} : *indicator;
  const Bandwidth* own = bandwidth_of(kernel);
  if (own == nullptr) return kernel;
  require(!own->is_number() || !bandwidth.is_number() || *own == bandwidth, "bandwidth",
          "given once, or the same number in " + repr(kernel), bandwidth);
  return own->is_open() ? with_bandwidth(kernel, bandwidth) : kernel;
}

template <class T>
ResolvedMechanism resolve_bandwidth(const Mechanism& mechanism, const Points<T>& Z,
                                    const Vector<double>& log_weights, const Execution& run) {
  const auto P = mechanism.cross_operator(Z.topRows(1), Z, {.log_key_weights = log_weights}, run);
  return {P.mechanism(), P.bandwidth()};
}

#define LIKEWISE_INSTANTIATE(T)                                                                           \
  template void check_training_data(const Points<T>&, const Values<T>&);                                  \
  template Matrix<T> one_hot(const std::vector<Index>&, Index);                                           \
  template std::vector<Index> largest_columns(const Matrix<T>&);                                          \
  template DistinctPoints<T> distinct_points(const Metric&, const Points<T>&, const Values<T>&,           \
                                             const Vector<double>&);                                      \
  template ResolvedMechanism resolve_bandwidth(const Mechanism&, const Points<T>&, const Vector<double>&, \
                                               const Execution&);
LIKEWISE_INSTANTIATE(float)
LIKEWISE_INSTANTIATE(double)
#undef LIKEWISE_INSTANTIATE

}  // namespace likewise
