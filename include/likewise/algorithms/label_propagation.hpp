// Label propagation and label spreading: the equilibrium of an operator with labels clamped, or held softly.
#pragma once

#include <string>
#include <vector>

#include <likewise/class_labels.hpp>
#include <likewise/equilibrium.hpp>
#include <likewise/operator.hpp>

namespace likewise {

/// A point whose class is not known.
constexpr Index unlabeled = -1;

struct LabelPropagationOptions {
  /// scikit-learn's "rbf" with gamma = 20. Any other metric, kernel, support and normalization will do.
  Mechanism mechanism = {SquaredEuclidean{}, Gaussian{0.15811388300841897}, AllPairs{}, RowStochastic{}};
  /// "cg": the fixed point itself ("auto" of equilibrium.hpp: BiCGSTAB on directed graphs, a factorization
  /// where these fail). "iterate": F <- P F, rows rescaled to 1 after each step, as scikit-learn does.
  std::string solver = "cg";
  int max_iter = 1000;  ///< steps of "iterate"; "cg" may always take 1000
  double tol = 1e-3;    ///< "iterate" stops where sum |F - F_previous| is below; "cg" solves to 1e-8 or less
};

struct LabelSpreadingOptions {
  /// No self-loops: scikit-learn's "rbf" with gamma = 20.
  Mechanism mechanism = {SquaredEuclidean{}, Gaussian{0.15811388300841897}, LeaveOneOut{}, Symmetric{}};
  double alpha = 0.2;  ///< in (0, 1): how much a point takes over from its neighbors
  std::string solver = "cg";
  int max_iter = 30;
  double tol = 1e-3;
};

/// The two knn graphs of scikit-learn: directed, each point among its own n_neighbors; spreading drops the
/// self-loops.
Mechanism label_propagation_knn(Index n_neighbors = 7);
Mechanism label_spreading_knn(Index n_neighbors = 7);

/// How new points ask the training points: the mechanism with rows that sum to 1, and without LeaveOneOut,
/// for a new point is none of them. A row without mass asks its nearest training point.
Mechanism label_prediction(const Mechanism& mechanism);

/// Class shares of every point.
template <class T> struct PropagatedLabels {
  Mechanism mechanism;            ///< bandwidth resolved
  KeyedMechanism<T> prediction;   ///< `label_prediction(mechanism)`; keys: all points (n, d)
  Matrix<T> label_distributions;  ///< (n, n_classes), rows sum to 1
  /// Points that no label reaches (whose component has none): they get the class shares of the labeled
  /// points.
  std::vector<bool> unreached;
  IterationReport report;

  Index n_classes() const { return label_distributions.cols(); }
  /// The most probable class of each training point, ties to the lowest.
  std::vector<Index> transduction() const;
  /// The mean of the training points' distributions under `label_prediction(mechanism)`: (n_queries,
  /// n_classes).
  Matrix<T> predict_proba(const Points<T>& X, const Execution& run = {}) const;
  std::vector<Index> predict(const Points<T>& X, const Execution& run = {}) const;
};

/// The class shares of new points: the mean of the keys' distributions (n, n_classes) under this mechanism, rows scaled to 1.
template <class T>
Matrix<T> predict_labels(const KeyedMechanism<T>& prediction, const Values<T>& label_distributions,
                         const Points<T>& X, const Execution& run = {});

template <class T>
PropagatedLabels<T> fit_label_propagation(const Points<T>& X, const std::vector<Index>& labels,
                                          Index n_classes, const LabelPropagationOptions& options,
                                          const Execution& run);
template <class T>
PropagatedLabels<T> fit_label_spreading(const Points<T>& X, const std::vector<Index>& labels, Index n_classes,
                                        const LabelSpreadingOptions& options, const Execution& run);

/// F = P F with the labeled rows clamped (Zhu and Ghahramani 2002). labels: a class in [0, n_classes) or
/// `unlabeled` for each point, not all unlabeled. Solved in float64. Points that nothing reaches are no keys
/// for the others.
template <class D>
PropagatedLabels<ScalarOf<D>> label_propagation(const Eigen::MatrixBase<D>& X, const ClassLabels& labels,
                                                Index n_classes, const LabelPropagationOptions& options = {},
                                                const Execution& run = {}) {
  return fit_label_propagation<ScalarOf<D>>(X.derived(), labels, n_classes, options, run);
}

/// F = alpha S F + (1 - alpha) Y, then rows that sum to 1 (Zhou et al. 2004). On a directed graph with
/// Symmetric() S_ij = A_ij / sqrt(d_i d_j), d the in-degrees without self-loops (1 where there is none), as
/// in scikit-learn.
template <class D>
PropagatedLabels<ScalarOf<D>> label_spreading(const Eigen::MatrixBase<D>& X, const ClassLabels& labels,
                                              Index n_classes, const LabelSpreadingOptions& options = {},
                                              const Execution& run = {}) {
  return fit_label_spreading<ScalarOf<D>>(X.derived(), labels, n_classes, options, run);
}

}  // namespace likewise
