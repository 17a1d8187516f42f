// One row of weights to a power.
#pragma once

#include <cmath>

#include <likewise/types.hpp>

namespace likewise {

/// w_j^r / sum_k w_k^r in place, of weights >= 0: relative to the largest, so that no power underflows. A row of zeros stays one.
template <class Weights> void inflate_row(Weights&& weights, double r) {
  if (weights.size() == 0) return;
  const double largest = static_cast<double>(weights.maxCoeff());
  if (!(largest > 0)) return;
  using T = typename std::remove_reference_t<Weights>::Scalar;
  double sum = 0;
  for (Index j = 0; j < weights.size(); ++j) {
    const double power = std::pow(static_cast<double>(weights(j)) / largest, r);
    sum += power;
    weights(j) = static_cast<T>(power);
  }
  weights /= static_cast<T>(sum);
}

}  // namespace likewise
