#pragma once

#include <likewise/metric/traits.hpp>

namespace likewise {

/// The "points" are rows of costs themselves: n x n between the keys, m x n from new points to the keys.
/// Costs are d^distance_power. Symmetry is read off the matrix when an operator is made.
struct Precomputed {
  int distance_power = 1;  ///< 1, 2, or 0 for costs that are no distance

  static constexpr const char* name = "Precomputed";
  static constexpr const char* formula = "x_ij, given";
  static constexpr auto fields() { return std::tuple{Field{"distance_power", &Precomputed::distance_power}}; }
  static constexpr bool points_are_costs = true;
  constexpr MetricTraits traits() const { return {.distance_power = distance_power}; }
  void check() const;

  bool operator==(const Precomputed&) const = default;
};

}  // namespace likewise
