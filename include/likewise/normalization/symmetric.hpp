#pragma once

#include <likewise/normalization/traits.hpp>

namespace likewise {

/// D^-1/2 K D^-1/2, D_i = sum_j w_j K_ij; with key weights sqrt(w_i w_j) K_ij / sqrt(D_i D_j).
struct Symmetric {
  static constexpr const char* name = "Symmetric";
  static constexpr const char* formula = "l_i = r_i = sqrt(w_i / D_i), D_i = sum_j w_j K_ij";
  static constexpr RightFrom right_from = RightFrom::keys;
  static constexpr bool divides_by_row_mass = false, rows_stand_alone = true;
  static constexpr auto fields() { return std::tuple{}; }
  bool operator==(const Symmetric&) const = default;
};

}  // namespace likewise
