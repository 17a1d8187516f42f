// Scores of one query with many keys: what a call with one row asks, for which panels of queries would be mostly empty.
#pragma once

#include <cstddef>

namespace likewise::engine::simd {

/// values_j = query_bias + key_bias_j - <query, key_j> of n keys (n, width), contiguous.
template <class C>
void key_values(const C* query, C query_bias, const C* keys, std::ptrdiff_t width, const C* key_bias,
                std::ptrdiff_t n, C* values);

}  // namespace likewise::engine::simd
