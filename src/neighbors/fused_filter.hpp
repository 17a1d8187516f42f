// Every query against every key of a metric that lifts, by fused loops over lower bounds in float32 or float64.
#pragma once

#include "neighbors/filter.hpp"
#include "neighbors/searched_keys.hpp"

namespace likewise::neighbors {

/// A filter in the precision that leaves few rows unresolved (k = 0: in float32 where that does not overflow); nothing
/// where the lift overflows float64. `pairs` must be those of the request, and of these keys.
template <class T>
std::unique_ptr<const Filter> make_fused_filter(const SearchedKeys<T>& keys, const LiftedPairs& pairs,
                                                const Request& request, Index k, const Execution& run);
/// The filter in float64, for rows that float32 left unresolved.
template <class T>
std::unique_ptr<const Filter> make_double_filter(const SearchedKeys<T>& keys, const LiftedPairs& pairs,
                                                 const Request& request, const Execution& run);

}  // namespace likewise::neighbors
