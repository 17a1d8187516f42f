// Queries so far from all keys that a cost's digits do not tell the keys apart any more.
#pragma once

#include <memory>

#include "operator/tile_weights.hpp"

namespace likewise {

/// The weights, with rows of such queries found as differences from the query's distance to the keys' center, which no
/// digit is lost of: exp(-|x - z|^2 / 2h^2) is exp(-|x|^2 / 2h^2) times exp((2 <x, z> - |z|^2) / 2h^2), and the first factor
/// becomes the row's shift. Of exponentials of Euclidean distances, of their squares and of Manhattan distances, which
/// tend to the nearest key; other kernels tend to the mean of all keys, or end. O((n_queries + n_keys) d) time and, where
/// a query is far, memory; n_keys d for each far query.
template <class T>
std::shared_ptr<const engine::LogWeights<T>> with_far_queries(
    std::shared_ptr<const engine::LogWeights<T>> weights, const ResolvedKernel& kernel,
    const PairFilters& filters, const Points<T>& X, const engine::PreparedPoints<T>& keys);

}  // namespace likewise
