// Metric learning: the leave-one-out loss of a metric and its derivative by what makes it, a factor W or a map of points.
#pragma once

#include <map>
#include <string>

#include <likewise/execution.hpp>
#include <likewise/map.hpp>
#include <likewise/types.hpp>

namespace likewise {

struct MetricLossOptions {
  /// "nca": -sum_i <F_i, Y_i>, with one-hot Y minus the expected number of rows whose class their neighbors tell
  /// (Neighbourhood Components Analysis). "mlkr": sum_i |F_i - Y_i|^2 (Metric Learning for Kernel Regression).
  std::string loss = "nca";
  double temperature = 1;
  Index n_queries = 0;  ///< only the first n_queries rows ask, all rows answer: a mini-batch; 0: all ask
};

/// A loss and what it asks of the metric: the arguments of any optimizer.
struct MetricLoss {
  double value;
  Matrix<double> factor;  ///< dL/dW, W's shape
  double temperature;     ///< dL/dt
};

/// F = P Y of the leave-one-out operator P_ij ~ exp(-|W x_i - W x_j|^2 / t), j != i, and the loss of F against Y itself.
/// X is (n, d), Y (n, c), W (r, d). One pass for F and one for the derivative; only W X, Y and sums are kept, O(n (d + r +
/// c)) memory. A tied cost is symmetric: where all rows ask, a pair's scores serve both of its directions, n^2 (2.5 r + 2 c)
/// multiply-adds instead of n_queries n (4 r + 2 c). Results do not depend on the number of threads.
template <class T>
MetricLoss metric_loss(const Points<T>& X, const Values<T>& Y, const Matrix<double>& W,
                       const MetricLossOptions& options = {}, const Execution& run = {});
/// The same for any float or double matrices.
template <Unnamed S = void, class D, class E>
MetricLoss metric_loss(const Eigen::MatrixBase<D>& X, const Eigen::MatrixBase<E>& Y, const Matrix<double>& W,
                       const MetricLossOptions& options = {}, const Execution& run = {}) {
  using Given = Points<ScalarOf<D, E>>;
  return metric_loss<ScalarOf<D, E>>(Given(X.derived()), Given(Y.derived()), W, options, run);
}

/// The same of points seen through a map phi, c = |phi(x_i) - phi(x_j)|^2.
struct MapLoss {
  double value;
  std::map<std::string, Matrix<double>> parameters;  ///< the loss's derivative by the map's, by their names
  double temperature;
};

/// Each point is mapped once, forward and back: beside the map O(n_queries n (r + c)) time as above with r the map's outputs.
/// Refuses what `apply` and `vjp` of the map refuse.
template <class T>
MapLoss metric_loss(const Points<T>& X, const Values<T>& Y, const PointMap& map,
                    const MetricLossOptions& options = {}, const Execution& run = {});
template <Unnamed S = void, class D, class E>
MapLoss metric_loss(const Eigen::MatrixBase<D>& X, const Eigen::MatrixBase<E>& Y, const PointMap& map,
                    const MetricLossOptions& options = {}, const Execution& run = {}) {
  using Given = Points<ScalarOf<D, E>>;
  return metric_loss<ScalarOf<D, E>>(Given(X.derived()), Given(Y.derived()), map, options, run);
}

}  // namespace likewise
