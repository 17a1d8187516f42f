// Operators on neighbors that a search has found already: nothing is searched again.
#pragma once

#include <string>

#include <likewise/operator.hpp>

namespace likewise {

/// The operator of the keys with themselves, on Neighbors. Row i of `neighbors` holds the indices that
/// kneighbors(keys, keys.points(), k, {.exclude_self = true}) finds, in any order; k is the support's n_neighbors, one less where
/// it counts the point itself. Weights are found from the points: the operator is that of make_self_operator to the last bit.
template <class T>
SelfOperator<T> self_operator_of_neighbors(const Mechanism& mechanism, const PreparedKeys<T>& keys,
                                           const Matrix<Index>& neighbors, const Execution& run = {},
                                           const std::string& storage = "auto");

/// keyed.at(X) on Neighbors; row i of `neighbors` holds the indices that kneighbors(keys, X, k) finds.
template <class T>
CrossOperator<T> cross_operator_of_neighbors(const KeyedMechanism<T>& keyed, const Points<T>& X,
                                             const Matrix<Index>& neighbors, const Execution& run = {},
                                             const std::string& storage = "auto");

}  // namespace likewise
