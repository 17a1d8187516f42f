// Kernel regression and classification: one step of the operator from training points to queries.
#pragma once

#include <vector>

#include <likewise/algorithms/parts/local_plane.hpp>
#include <likewise/class_labels.hpp>
#include <likewise/mechanism.hpp>

namespace likewise {

struct KernelRegressionOptions {
  Metric metric = Euclidean{};
  Kernel kernel = Gaussian{};
  /// Fills what the kernel leaves open; "loo" has the least leave-one-out error at this degree.
  Bandwidth bandwidth = "loo";
  Support support = AllPairs{};
  Normalization normalization = RowStochastic{};
  EmptyRow empty_row = EmptyRow::nearest;
  /// 0: weighted means. 1: weighted least-squares planes; needs coordinates and RowStochastic.
  int degree = 0;
  /// One weight >= 0 for each training point, not all 0; empty: 1. Weight 2 equals a row twice, 0 no row.
  Vector<double> sample_weight = {};
};

template <class T> struct KernelPrediction {
  Matrix<T> mean;       ///< (n_queries, n_targets)
  Matrix<T> std;        ///< the same: root of sum_j p_ij y_j^2 - (sum_j p_ij y_j)^2; empty unless asked for
  Index n_reduced = 0;  ///< queries that degree 1 could not serve: fewer effective points than columns
};

/// Degree 0: y(x) = sum_j p_j y_j,  p_j = w_j phi(c(x, z_j)) / sum_k w_k phi(c(x, z_k))
/// (Nadaraya 1964, Watson 1964).
/// Degree 1: the a of the least sum_j p_j |y_j - a - <b, z_j - x>|^2 over (a, b) (Cleveland 1979). Each
/// coordinate's weighted variance is raised by the factor 1 + `local_linear_ridge`. Queries with fewer
/// effective points than the d + 1 unknowns get degree 0, and are counted: 1 / sum_j p_j^2, copies taken
/// together.
template <class T> struct KernelRegression {
  KeyedMechanism<T> keyed;  ///< bandwidth resolved; keys: training points (n, d) and log sample weights
  Matrix<T> targets;        ///< (n, n_targets)
  /// (n,) a number for each point, equal for copies, -1 for weight 0; empty where fitting did not ask for it.
  std::vector<Index> point_of;
  int degree = 0;  ///< what is used: 0 where d > local_linear_max_features
  SelectedBandwidth bandwidth = {};

  /// O(n_queries n (d + n_targets)) time at degree 0, O(n_queries n d^2) at degree 1; keys of weight 0 are
  /// skipped.
  KernelPrediction<T> predict(const Points<T>& X, bool return_std = false, const Execution& run = {}) const;
  /// R^2 (weighted, mean over targets) of predicting each point from the others and from what is left of its own weight w
  /// without min(1, w); NaN of a single point. Computed when asked for: O(n^2 (d + n_targets)) time, n^2 d^2 at degree 1.
  double loo_score(const Execution& run = {}) const;
};

/// Regression on one-hot columns, read as probabilities: clipped to [0, 1] and divided by their sum. "loo"
/// has the least log loss.
template <class T> struct KernelClassification {
  KernelRegression<T> regression;

  Index n_classes() const { return regression.targets.cols(); }
  /// (n_queries, n_classes), rows sum to 1; uniform for a row without mass.
  Matrix<T> predict_proba(const Points<T>& X, const Execution& run = {}) const;
  /// The most probable class, ties to the lowest.
  std::vector<Index> predict(const Points<T>& X, const Execution& run = {}) const;
  /// The accuracy of predicting each point as in KernelRegression::loo_score.
  double loo_score(const Execution& run = {}) const;
};

template <class T>
KernelRegression<T> fit_kernel_regression(const Points<T>& X, const Values<T>& Y,
                                          const KernelRegressionOptions& options, const Execution& run);
template <class T>
KernelClassification<T> fit_kernel_classification(const Points<T>& X, const std::vector<Index>& labels,
                                                  Index n_classes, const KernelRegressionOptions& options,
                                                  const Execution& run);

/// X (n, d) with targets Y (n, n_targets). O(n log n d) time with a given bandwidth, O(n^2 (d + n_targets))
/// with a rule, several times that for "loo". Throws InvalidArgument naming what does not fit.
template <class D, class E>
KernelRegression<ScalarOf<D, E>> kernel_regression(const Eigen::MatrixBase<D>& X,
                                                   const Eigen::MatrixBase<E>& Y,
                                                   const KernelRegressionOptions& options = {},
                                                   const Execution& run = {}) {
  return fit_kernel_regression<ScalarOf<D, E>>(X.derived(), Y.derived(), options, run);
}

/// labels: a class in [0, n_classes) for each point; every point has one.
template <class D>
KernelClassification<ScalarOf<D>> kernel_classification(const Eigen::MatrixBase<D>& X,
                                                        const ClassLabels& labels, Index n_classes,
                                                        const KernelRegressionOptions& options = {},
                                                        const Execution& run = {}) {
  return fit_kernel_classification<ScalarOf<D>>(X.derived(), labels, n_classes, options, run);
}

}  // namespace likewise
