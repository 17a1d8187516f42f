// The searches behind kneighbors, radius_neighbors and the graphs of operators, in float64.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <likewise/neighbors.hpp>

#include "neighbors/searched_keys.hpp"

namespace likewise::neighbors {

/// Row i holds [offsets[i], offsets[i + 1]) of indices and distances, by (distance, index).
struct NeighborLists {
  std::vector<Index> offsets;     ///< (n_queries + 1,)
  std::vector<Index> indices;     ///< (offsets.back(),)
  std::vector<double> distances;  ///< (offsets.back(),), as kneighbors reports them
  std::string algorithm;          ///< the one that ran: "kd_tree" or "brute"
};

/// Whether key j may be a neighbor of query i; empty: all may. Called from several threads.
using PairAdmission = std::function<bool(Index i, Index j)>;

/// The k nearest admitted keys of each query, fewer where fewer are admitted. Checks k, points and algorithm.
template <class T>
NeighborLists nearest(const SearchedKeys<T>& keys, const Values<T>& X, Index k, const PairAdmission& admitted,
                      const NeighborOptions& options, const Execution& run);
/// Among keys that are searched once.
NeighborLists nearest(const Metric& metric, const Points<double>& X, const Points<double>& Z, Index k,
                      const PairAdmission& admitted, const NeighborOptions& options, const Execution& run);

/// All admitted keys at most `radius` away, in the unit that kneighbors reports.
template <class T>
NeighborLists within(const SearchedKeys<T>& keys, const Values<T>& X, double radius,
                     const PairAdmission& admitted, const NeighborOptions& options, const Execution& run);
NeighborLists within(const Metric& metric, const Points<double>& X, const Points<double>& Z, double radius,
                     const PairAdmission& admitted, const NeighborOptions& options, const Execution& run);

/// What a search in float64 has to find, so that just those distances that are told in T as at most `radius` come out: rounded
/// to T some fall below a radius that they exceed.
template <class T> double before_rounding(double radius);

}  // namespace likewise::neighbors
