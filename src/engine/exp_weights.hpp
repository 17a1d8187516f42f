// exp of log weights: what is no link weighs exactly 0.
#pragma once

#include <cmath>
#include <limits>
#include <type_traits>

#include <likewise/types.hpp>

#include "engine/simd/exp_row.hpp"

namespace likewise::engine {

/// exp(x) of an array, 0 where it would be below the smallest normal number. Eigen's vectorized exp(-inf) is a denormal,
/// which would give mass to pairs that the support does not admit (and denormals are slow).
template <class Array> typename Array::PlainObject exp_weights(const Array& x) {
  using T = typename Array::Scalar;
  typename Array::PlainObject weights = x;
  if constexpr (std::is_same_v<T, double>) {
    simd::exp_row(weights.data(), weights.size(), 0);
  } else {
    static const T least = std::log(std::numeric_limits<T>::min());
    const typename Array::PlainObject powers = weights.exp();
    weights = (weights > least).select(powers, T(0));
  }
  return weights;
}

/// log sum_j exp(x_j); -inf where every x_j is.
inline double log_sum_exp(const Vector<double>& x) {
  const double top = x.maxCoeff();
  if (top == -std::numeric_limits<double>::infinity()) return top;
  const Eigen::ArrayXd centered = x.array() - top;
  return top + std::log(exp_weights(centered).sum());
}

}  // namespace likewise::engine
