// Every query against every key of a metric that lifts, by fused loops over lower bounds in float32 or float64.
#pragma once

#include "neighbors/bounded_search.hpp"
#include "neighbors/searched_keys.hpp"

namespace likewise::neighbors {

/// In the precision that leaves few rows unresolved (k = 0: in float32 where that does not overflow); nothing
/// where the lift overflows float64. `pairs` must be those of the terms, and of these keys.
template <class T>
std::unique_ptr<const BoundedSearch> make_fused_search(const SearchedKeys<T>& keys, const LiftedPairs& pairs,
                                                       const SearchTerms& terms, Index k,
                                                       const Execution& run);
/// In float64, for rows that float32 left unresolved.
template <class T>
std::unique_ptr<const BoundedSearch> make_double_search(const SearchedKeys<T>& keys, const LiftedPairs& pairs,
                                                        const SearchTerms& terms, const Execution& run);

}  // namespace likewise::neighbors
