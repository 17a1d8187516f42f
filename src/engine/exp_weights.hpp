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

/// log sum_j exp(x_j); -inf where every x_j is.
inline double log_sum_exp(const Vector<double>& x) {
  const double top = x.maxCoeff();
  if (top == -std::numeric_limits<double>::infinity()) return top;
  const Eigen::ArrayXd centered = x.array() - top;
  return top + std::log(exp_weights(centered).sum());
}

}  // namespace likewise::engine
