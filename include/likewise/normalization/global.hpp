#pragma once

#include <likewise/normalization/traits.hpp>

namespace likewise {

/// K_ij / sum_ij K_ij: all entries sum to 1, a joint law of pairs (on the map side of t-SNE). Under key weights w_j K_ij is
/// divided by the sum of w_j K_ij, on a self-operator of w_i w_j K_ij.
struct Global {
  static constexpr const char* name = "Global";
  static constexpr const char* formula =
      "l_i = 1 / sum_ij w_i K_ij w_j (across: 1 / sum_ij K_ij w_j), r_j = w_j";
  static constexpr RightFrom right_from = RightFrom::key_weights;
  static constexpr bool divides_by_row_mass = false, rows_stand_alone = false;
  static constexpr auto fields() { return std::tuple{}; }
  bool operator==(const Global&) const = default;
};

}  // namespace likewise
