// The edges of a support that is a graph: found, weighted, made symmetric.
#pragma once

#include <utility>
#include <vector>

#include <likewise/execution.hpp>
#include <likewise/mechanism_value.hpp>

#include "neighbors/keys_state.hpp"
#include "operator/csr.hpp"
#include "operator/pair_filters.hpp"
#include "operator/tile_weights.hpp"

namespace likewise {

/// Sparse log K. `nearest` is each row's admitted key of least cost (-1: none), for the policy of empty rows.
struct WeightedEdges {
  SparseMatrix<double> log_weights;
  std::vector<Index> nearest;

  WeightedEdges(SparseMatrix<double>&& weights, std::vector<Index> nearest_keys)
      : log_weights(csr::taken(std::move(weights))), nearest(std::move(nearest_keys)) {}
  WeightedEdges(WeightedEdges&& other) noexcept
      : log_weights(csr::taken(std::move(other.log_weights))), nearest(std::move(other.nearest)) {}
};

/// The support has a selector or a graph, so that K is sparse.
bool is_sparse(const Support& support);
/// The support is a graph whose values are the weights.
bool has_given_weights(const Support& support);

/// All edges between queries X and the keys; `self`: X is them, and the selector's symmetrization applies.
/// A neighbor search for a selector, O(edges) for given graphs. Keys of log weight -inf are nobody's nearest.
template <class T>
WeightedEdges find_edges(const Mechanism& mechanism, const ResolvedKernel& kernel, const PairFilters& filters,
                         const Points<T>& X, const detail::KeysState<T>& keys, bool self,
                         const Execution& run);

}  // namespace likewise
