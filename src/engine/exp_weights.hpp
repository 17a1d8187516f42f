// exp of log weights: what is no link weighs exactly 0.
#pragma once

#include <cmath>
#include <limits>

#include <likewise/types.hpp>

namespace likewise::engine {

/// exp(x) of an array, 0 where it would be below the smallest normal number. Eigen's vectorized exp(-inf) is a denormal,
/// which would give mass to pairs that the support does not admit (and denormals are slow).
template <class Array> auto exp_weights(const Array& x) {
  using T = typename Array::Scalar;
  static const T least = std::log(std::numeric_limits<T>::min());
  return (x > least).select(x.exp(), T(0));
}

}  // namespace likewise::engine
