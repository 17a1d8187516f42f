// Nearest neighbors and neighbors within a radius, exact, ties to the lowest index.
#pragma once

#include <string>
#include <vector>

#include <likewise/execution.hpp>
#include <likewise/metric.hpp>
#include <likewise/prepared_keys.hpp>
#include <likewise/types.hpp>

namespace likewise {

/// "auto" takes the k-d tree for metrics that are a sum over coordinates or the largest of them, in few
/// dimensions, else "brute". "kd_tree" is refused where no tree applies. `exclude_self`: query i is key i and
/// does not count.
struct NeighborOptions {
  std::string algorithm = "auto";
  bool exclude_self = false;
};

/// Row i: the k keys nearest to query i by (distance, index), distances as kneighbors reports them.
template <class T> struct NeighborTable {
  Matrix<T> distances;    ///< (n_queries, k)
  Matrix<Index> indices;  ///< (n_queries, k)
  std::string algorithm;  ///< the one that ran: "kd_tree" or "brute"
};

/// O(n_queries n_keys d) time by brute force, about O((n_queries + n_keys) log n_keys) by tree in low
/// dimension; O(n k) memory. 1 <= k <= n_keys (n_keys - 1 with exclude_self). Float32 points are compared in
/// float64.
template <class T>
NeighborTable<T> kneighbors(const Metric& metric, const Points<T>& X, const Points<T>& Z, Index k,
                            const NeighborOptions& options = {}, const Execution& run = {});
/// The same among keys that were prepared: nothing is found out about them again.
template <class T>
NeighborTable<T> kneighbors(const PreparedKeys<T>& keys, const Values<T>& X, Index k,
                            const NeighborOptions& options = {}, const Execution& run = {});
/// The same for any float or double matrices.
template <Unnamed S = void, class D, class E>
NeighborTable<ScalarOf<D, E>> kneighbors(const Metric& metric, const Eigen::MatrixBase<D>& X,
                                         const Eigen::MatrixBase<E>& Z, Index k,
                                         const NeighborOptions& options = {}, const Execution& run = {}) {
  using Given = Points<ScalarOf<D, E>>;
  return kneighbors<ScalarOf<D, E>>(metric, Given(X.derived()), Given(Z.derived()), k, options, run);
}

/// Row i: all keys at most `radius` away (as reported), by (distance, index) as CSR-like lists.
template <class T> struct RadiusTable {
  std::vector<Index> offsets;  ///< (n_queries + 1,)
  std::vector<Index> indices;  ///< (offsets.back(),)
  std::vector<T> distances;    ///< (offsets.back(),)
  std::string algorithm;
};

template <class T>
RadiusTable<T> radius_neighbors(const Metric& metric, const Points<T>& X, const Points<T>& Z, double radius,
                                const NeighborOptions& options = {}, const Execution& run = {});
template <class T>
RadiusTable<T> radius_neighbors(const PreparedKeys<T>& keys, const Values<T>& X, double radius,
                                const NeighborOptions& options = {}, const Execution& run = {});
/// The same for any float or double matrices.
template <Unnamed S = void, class D, class E>
RadiusTable<ScalarOf<D, E>> radius_neighbors(const Metric& metric, const Eigen::MatrixBase<D>& X,
                                             const Eigen::MatrixBase<E>& Z, double radius,
                                             const NeighborOptions& options = {}, const Execution& run = {}) {
  using Given = Points<ScalarOf<D, E>>;
  return radius_neighbors<ScalarOf<D, E>>(metric, Given(X.derived()), Given(Z.derived()), radius, options,
                                          run);
}

}  // namespace likewise
