// The k-d tree for metrics that are sums over coordinates, or the largest of them.
#pragma once

#include "neighbors/filter.hpp"

namespace likewise::neighbors {

/// Whether the metric is a sum over coordinates with power >= 1 (Chebyshev: of infinite power), so that a tree applies.
bool grows_trees(const Metric& metric);

/// What a search visits, on average over a few keys as queries.
struct TreeCost {
  double nodes = 0, leaves = 0;
};

class TreeFilter : public Filter {
 public:
  /// Of a search for the k nearest or, with k = 0, of all keys within a radius.
  virtual TreeCost probe(Index k, double radius) const = 0;
  virtual Index width() const = 0;
};

/// O(n_keys log n_keys) time, O(n_keys width) memory. In float32 where the points are: then no coordinate is rounded.
template <class T>
std::unique_ptr<const TreeFilter> make_kd_tree(const Metric& metric, const Points<T>& X, const Points<T>& Z,
                                               const Request& request, const Execution& run);

}  // namespace likewise::neighbors
