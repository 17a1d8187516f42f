// The edges of a neighbor support whose neighbors somebody has found already.
#pragma once

#include "operator/edges.hpp"

namespace likewise {

/// find_edges, where row i of `neighbors` holds the keys that its search would find, in any order. Costs are found again by
/// definition, so the edges are the same to the last bit. Refuses indices that no such search gives. O(edges d).
template <class T>
WeightedEdges edges_of_neighbors(const Mechanism& mechanism, const ResolvedKernel& kernel,
                                 const PairFilters& filters, const Points<T>& X,
                                 const detail::KeysState<T>& keys, const Matrix<Index>& neighbors, bool self,
                                 const Execution& run);

}  // namespace likewise
