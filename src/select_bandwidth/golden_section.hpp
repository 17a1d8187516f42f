// The least value of a function of one variable inside a bracket.
#pragma once

#include <cmath>
#include <utility>

namespace likewise::bandwidths {

struct Least {
  double at, value;
};

/// Golden-section search (Kiefer 1953): each step asks for one value and keeps 0.618 of the bracket. Returns
/// the least value seen; where f has several minima inside, one of them.
template <class F> Least golden_section(F f, double low, double high, int steps) {
  const double golden = (std::sqrt(5.0) - 1) / 2;
  const auto at = [&](double x) { return Least{x, f(x)}; };
  Least left = at(high - golden * (high - low)), right = at(low + golden * (high - low));
  Least least = left.value <= right.value ? left : right;
  for (int step = 2; step < steps; ++step) {
    if (left.value <= right.value) {
      high = right.at;
      right = left;
      left = at(high - golden * (high - low));
    } else {
      low = left.at;
      left = right;
      right = at(low + golden * (high - low));
    }
    for (const Least& seen : {left, right})
      if (seen.value < least.value) least = seen;
  }
  return least;
}

}  // namespace likewise::bandwidths
