// k-nearest-neighbor and radius-neighbor regression and classification: a kernel on a neighbor support.
#pragma once

#include <vector>

#include <likewise/class_labels.hpp>
#include <likewise/mechanism.hpp>

namespace likewise {

struct KNeighborsOptions {
  Index n_neighbors = 5;
  /// Indicator(): every neighbor counts the same. InverseDistance(): 1/d. Any other kernel: its weights.
  Kernel weights = Indicator{};
  Metric metric = Euclidean{};
};

struct RadiusNeighborsOptions {
  double radius = 1;  ///< in the unit that radius_neighbors reports; a neighbor is at most this far
  Kernel weights = Indicator{};
  Metric metric = Euclidean{};
};

struct NeighborsPrediction {
  Matrix<double> mean;      ///< (n_queries, n_targets); 0 in empty rows
  std::vector<bool> empty;  ///< queries none of whose neighbors has weight
};

/// y(x) = sum_j phi(d(x, z_j)) y_j / sum_j phi(d(x, z_j)) over the neighbors j of x (Fix and Hodges 1951), divided once:
/// the mean of equal targets is that target. Targets and means are float64 whatever the points are.
template <class T> struct NeighborsRegression {
  Mechanism mechanism;     ///< Neighbors(k) or Radius(r), RowStochastic
  PreparedKeys<T> keys;    ///< (n, d)
  Matrix<double> targets;  ///< (n, n_targets)

  /// A neighbor search (see kneighbors) and O(n_queries k n_targets) beyond it.
  NeighborsPrediction predict(const Points<T>& X, const Execution& run = {}) const;
  /// Of the training points, each without itself among its neighbors.
  NeighborsPrediction predict_left_out(const Execution& run = {}) const;
};

/// A vote: each neighbor gives its weight to its class.
template <class T> struct NeighborsClassification {
  Mechanism mechanism;
  PreparedKeys<T> keys;       ///< (n, d)
  std::vector<Index> labels;  ///< (n,)
  Index n_classes = 0;

  /// `mean` holds probabilities (n_queries, n_classes): weights of the classes divided by their sum.
  NeighborsPrediction predict_proba(const Points<T>& X, const Execution& run = {}) const;
  /// The class with most votes, ties to the lowest; -1 for a query without neighbors. O(n_queries k) memory.
  std::vector<Index> predict(const Points<T>& X, const Execution& run = {}) const;
};

/// Neighbors(k) or Radius(r) from queries to training points, RowStochastic.
Mechanism k_neighbors_mechanism(const KNeighborsOptions& options);
Mechanism radius_neighbors_mechanism(const RadiusNeighborsOptions& options);

/// The mechanism with an open bandwidth found for these points. 1 <= k <= n.
template <class T>
Mechanism resolve_neighbors(const Mechanism& mechanism, const Points<T>& X, const Execution& run = {});
/// Any mechanism on a neighbor support; an open bandwidth is resolved. 1 <= k <= n.
template <class T>
NeighborsRegression<T> fit_neighbors_regression(const Mechanism& mechanism, const Points<T>& X,
                                                const Values<double>& Y, const Execution& run = {});
/// labels: a class in [0, n_classes) for each point.
template <class T>
NeighborsClassification<T> fit_neighbors_classification(const Mechanism& mechanism, const Points<T>& X,
                                                        const std::vector<Index>& labels, Index n_classes,
                                                        const Execution& run = {});

template <class D, class E>
NeighborsRegression<ScalarOf<D>> k_neighbors_regression(const Eigen::MatrixBase<D>& X,
                                                        const Eigen::MatrixBase<E>& Y,
                                                        const KNeighborsOptions& options = {},
                                                        const Execution& run = {}) {
  return fit_neighbors_regression<ScalarOf<D>>(k_neighbors_mechanism(options), X.derived(),
                                               Y.derived().template cast<double>(), run);
}
template <class D, class E>
NeighborsRegression<ScalarOf<D>> radius_neighbors_regression(const Eigen::MatrixBase<D>& X,
                                                             const Eigen::MatrixBase<E>& Y,
                                                             const RadiusNeighborsOptions& options = {},
                                                             const Execution& run = {}) {
  return fit_neighbors_regression<ScalarOf<D>>(radius_neighbors_mechanism(options), X.derived(),
                                               Y.derived().template cast<double>(), run);
}
template <class D>
NeighborsClassification<ScalarOf<D>> k_neighbors_classification(const Eigen::MatrixBase<D>& X,
                                                                const ClassLabels& labels, Index n_classes,
                                                                const KNeighborsOptions& options = {},
                                                                const Execution& run = {}) {
  return fit_neighbors_classification<ScalarOf<D>>(k_neighbors_mechanism(options), X.derived(), labels,
                                                   n_classes, run);
}
template <class D>
NeighborsClassification<ScalarOf<D>> radius_neighbors_classification(
    const Eigen::MatrixBase<D>& X, const ClassLabels& labels, Index n_classes,
    const RadiusNeighborsOptions& options = {}, const Execution& run = {}) {
  return fit_neighbors_classification<ScalarOf<D>>(radius_neighbors_mechanism(options), X.derived(), labels,
                                                   n_classes, run);
}

}  // namespace likewise
