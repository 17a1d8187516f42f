#pragma once

#include <likewise/normalization/traits.hpp>

namespace likewise {

/// l = 1, r = w: the bare weighted sum, y_i = sum_j w_j K_ij v_j.
struct Unnormalized {
  static constexpr const char* name = "Unnormalized";
  static constexpr const char* formula = "l_i = 1, r_j = w_j";
  static constexpr RightFrom right_from = RightFrom::key_weights;
  static constexpr bool divides_by_row_mass = false, rows_stand_alone = true;
  static constexpr auto fields() { return std::tuple{}; }
  bool operator==(const Unnormalized&) const = default;
};

}  // namespace likewise
