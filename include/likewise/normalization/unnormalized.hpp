#pragma once

#include <likewise/value.hpp>

namespace likewise {

/// l = 1, r = w: the bare weighted sum, y_i = sum_j w_j K_ij v_j.
struct Unnormalized {
  static constexpr const char* name = "Unnormalized";
  static constexpr const char* formula = "l_i = 1, r_j = w_j";
  static constexpr auto fields() { return std::tuple{}; }
  bool operator==(const Unnormalized&) const = default;
};

}  // namespace likewise
