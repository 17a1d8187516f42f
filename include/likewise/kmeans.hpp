// A small k-means, for labels in spectral embeddings.
#pragma once

#include <cstdint>
#include <vector>

#include <likewise/execution.hpp>
#include <likewise/types.hpp>

namespace likewise {

struct KMeansOptions {
  Index n_clusters = 8;
  int n_init = 10;     ///< seeded restarts; the one of least inertia wins
  int max_iter = 300;  ///< Lloyd steps of each
  double tol = 1e-4;   ///< ends when centers move less: sum of squares, relative to the mean column variance
  std::uint64_t seed = 0;  ///< random_state
};

template <class T> struct KMeans {
  Matrix<T> cluster_centers;  ///< (n_clusters, n_features)
  std::vector<Index> labels;  ///< (n,)
  double inertia = 0;         ///< sum of squared distances to the nearest center
  IterationReport report;     ///< of the winner; residual: the last move of the centers, as in tol
};

/// k-means++ with greedy trials (Arthur and Vassilvitskii 2007), then Lloyd. A cluster left empty takes the
/// point farthest from its center. O(n n_clusters n_features) a step. Throws InvalidArgument unless
/// n_clusters is in [1, n].
template <class T>
KMeans<T> kmeans(const Points<T>& X, const KMeansOptions& options = {}, const Execution& run = {});
/// The same for any float or double matrix, as below.
template <Unnamed S = void, class D>
KMeans<ScalarOf<D>> kmeans(const Eigen::MatrixBase<D>& X, const KMeansOptions& options = {},
                           const Execution& run = {}) {
  return kmeans<ScalarOf<D>>(Points<ScalarOf<D>>(X.derived()), options, run);
}

/// The nearest center of each point; ties to the lowest index.
template <class T>
std::vector<Index> nearest_center(const Points<T>& X, const Points<T>& centers, const Execution& run = {});
template <Unnamed S = void, class D, class E>
std::vector<Index> nearest_center(const Eigen::MatrixBase<D>& X, const Eigen::MatrixBase<E>& centers,
                                  const Execution& run = {}) {
  using Given = Points<ScalarOf<D, E>>;
  return nearest_center<ScalarOf<D, E>>(Given(X.derived()), Given(centers.derived()), run);
}

}  // namespace likewise
