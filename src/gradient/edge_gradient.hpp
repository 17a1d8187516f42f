// The derivative of a sparse operator's weights: over its edges instead of tiles.
#pragma once

#include "engine/backward.hpp"

namespace likewise {

/// P holds the weights, K speaks of all pairs. Edges with given weights depend on no point. O(edges (d + c)) time.
engine::BackwardSums<double> edge_gradient(const SparseMatrix<double>& P, bool given_weights,
                                           const engine::LogWeights<double>& K,
                                           const engine::BackwardTerms<double>& terms);

}  // namespace likewise
