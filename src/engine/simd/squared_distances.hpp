// Squared distances by definition, in float64: what decides among keys that cheap bounds have found.
#pragma once

#include <cstddef>

namespace likewise::engine::simd {

/// out_m = sum_k (x_k - z_k)^2 of the rows z = keys[index_m], each difference and sum in float64. A pair's value depends on
/// its numbers alone, not on its place.
template <class T>
void squared_distances(const T* x, const T* keys, std::ptrdiff_t stride, const std::ptrdiff_t* index,
                       std::ptrdiff_t n, std::ptrdiff_t width, double* out);

/// out_m = |x/|x| - z/|z||^2 / 2 of the same rows; NaN where a length's square vanishes or overflows.
template <class T>
void half_chords(const T* x, const T* keys, std::ptrdiff_t stride, const std::ptrdiff_t* index,
                 std::ptrdiff_t n, std::ptrdiff_t width, double* out);

}  // namespace likewise::engine::simd
