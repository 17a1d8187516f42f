// The k-d tree for metrics that are sums over coordinates, or the largest of them.
#pragma once

#include <cstddef>
#include <memory>

#include "engine/prepared_points.hpp"
#include "neighbors/bounded_search.hpp"

namespace likewise::neighbors {

/// Whether the metric is a sum over coordinates with power >= 1 (Chebyshev: of infinite power), so that a tree applies.
bool grows_trees(const Metric& metric);

/// What a search visits, on average over a few keys as queries.
struct TreeCost {
  double nodes = 0, leaves = 0;
};

class TreeSearch : public BoundedSearch {
 public:
  /// Of a search for the k nearest or, with k = 0, of all keys within a radius.
  virtual TreeCost probe(Index k, double radius) const = 0;
  virtual Index width() const = 0;
};

/// A tree of keys, which any number of searches may ask at once.
template <class T> class KeyTree {
 public:
  virtual ~KeyTree() = default;
  /// For queries X; the tree lives at least as long.
  virtual std::unique_ptr<const TreeSearch> asked_by(const Points<T>& X, const SearchTerms& terms) const = 0;
  virtual std::size_t bytes() const = 0;
};

/// Whether float32 points and such queries can be told apart in a float32 tree: then no coordinate is rounded.
template <class T> bool fits_single_tree(const engine::PreparedPoints<T>& keys, const Points<T>& X);

/// O(n_keys log n_keys) time, O(n_keys width) memory; in float32 (`single`, see above) or float64.
template <class T>
std::shared_ptr<const KeyTree<T>> grow_tree(const engine::PreparedPoints<T>& keys, bool single,
                                            const Execution& run);

}  // namespace likewise::neighbors
