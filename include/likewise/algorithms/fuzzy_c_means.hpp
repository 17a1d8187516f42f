// Fuzzy c-means: points belong to every center by an inverse power of the distance, and centers are their means.
#pragma once

#include <cstdint>
#include <optional>

#include <likewise/mechanism.hpp>

namespace likewise {

struct FuzzyCMeansOptions {
  Index n_clusters = 8;
  double m = 2;    ///< above 1: how much memberships overlap; in the limit 1 it is k-means
  int n_init = 1;  ///< starts; the one of least objective wins
  int max_iter = 300;
  double tol = 1e-4;  ///< ends when centers move less: sum of squares, relative to the mean column variance
  std::uint64_t seed = 0;  ///< random_state
  /// (n_clusters, n_features) to start at; else a step of k-means on the points of positive weight.
  std::optional<Matrix<double>> centers = {};
};

template <class T> struct FuzzyCMeans {
  Mechanism mechanism;  ///< from points to centers: Euclidean, InverseDistance(2 / (m - 1)), rows sum to 1
  Matrix<T> cluster_centers;  ///< (n_clusters, n_features)
  Matrix<T> memberships;      ///< u (n, n_clusters), of the centers
  double objective = 0;       ///< J
  IterationReport report;     ///< residual: the last move of the centers, as in tol

  /// u (n_queries, n_clusters) of new points. O(n_queries n_clusters n_features).
  Matrix<T> predict(const Points<T>& X, const Execution& run = {}) const;
};

/// Bezdek 1981: u_ij = d(x_i, c_j)^(-2/(m-1)) / sum_k d(x_i, c_k)^(-2/(m-1)), c_j = sum_i w_i u_ij^m x_i / sum_i w_i u_ij^m, again and
/// again; J = sum_ij w_i u_ij^m |x_i - c_j|^2 never rises. A point on centers belongs to those alone, equally; a center that nobody
/// belongs to stays. O(n n_clusters n_features) a step, O(n n_clusters) memory. weights: (n,) or empty: 1. Throws InvalidArgument
/// unless n_clusters is in [1, n], m above 1 and weights finite, not negative and not all 0.
template <class T>
FuzzyCMeans<T> fit_fuzzy_c_means(const Points<T>& X, const FuzzyCMeansOptions& options,
                                 const Vector<double>& weights = {}, const Execution& run = {});
/// The same for any float or double matrix, of weights 1.
template <class D>
FuzzyCMeans<ScalarOf<D>> fuzzy_c_means(const Eigen::MatrixBase<D>& X, const FuzzyCMeansOptions& options = {},
                                       const Execution& run = {}) {
  return fit_fuzzy_c_means<ScalarOf<D>>(X.derived(), options, {}, run);
}

}  // namespace likewise
