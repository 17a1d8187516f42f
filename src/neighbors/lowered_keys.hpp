// Keys as the fused loops read them: lifted, in the loops' precision, biases lowered by each key's share of the error.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <memory>

#include <hwy/aligned_allocator.h>

#include <likewise/execution.hpp>

#include "neighbors/pairs.hpp"

namespace likewise::neighbors {

template <class C> using Buffer = hwy::AlignedFreeUniquePtr<C[]>;
template <class C> Buffer<C> buffer(Index n) {
  return hwy::AllocateAligned<C>(static_cast<std::size_t>(std::max<Index>(n, 1)));
}

/// |A_i| |B_j| <= (s |A_i|^2 + |B_j|^2 / s) / 2 for any s > 0: a bound of a product's terms that splits into one
/// number for each point. `weight` is s/2 or 1/(2s).
inline double term_size(const Lift<double>& lift, Index a, double weight) {
  return std::abs(lift.bias(a)) + weight * lift.features.row(a).squaredNorm();
}

/// The relative error of values in C: sums of width + 2 terms, biases that are such sums themselves, inputs rounded to C.
template <class C> double relative_error(Index width) {
  return static_cast<double>(std::numeric_limits<C>::epsilon()) * static_cast<double>(width + 8);
}

/// Writes a block's features and its biases less their share of the error, `absolute` among it.
template <class C>
void lower(const Lift<double>& lift, double weight, double absolute, C* features, C* bias) {
  const Index n = lift.bias.size(), width = lift.features.cols();
  const double relative = relative_error<C>(width);
  Eigen::Map<Matrix<C>>(features, n, width) = lift.features.template cast<C>();
  for (Index a = 0; a < n; ++a)
    bias[a] = static_cast<C>(lift.bias(a) - relative * term_size(lift, a, weight) - absolute);
}

/// The largest sum of terms that C is asked to hold, with room for what is added to it.
template <class C> inline constexpr double largest_held = sizeof(C) == 4 ? 1e37 : 1e307;

template <class C> struct LoweredKeys {
  double s = 1;             ///< of term_size
  double largest_term = 0;  ///< over all keys; not finite where float64 overflows
  Index n = 0, width = 0;
  Buffer<C> features, bias;  ///< nothing where there is no room for them, or C does not hold them

  std::size_t bytes() const { return features ? static_cast<std::size_t>(n * (width + 1)) * sizeof(C) : 0; }
};

/// s from a few points: where both terms are about equal.
double balance(const LiftedPairs& pairs);

/// O(n d). Features are kept where they take at most `room` bytes.
template <class C>
std::shared_ptr<const LoweredKeys<C>> lower_keys(const LiftedPairs& pairs, double s, std::size_t room,
                                                 const Execution& run);

}  // namespace likewise::neighbors
