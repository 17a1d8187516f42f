#pragma once

#include <likewise/normalization/traits.hpp>

namespace likewise {

/// r = w, l_i = 1/(null_mass + sum_j w_j K_ij): softmax; with a null mass an attention sink, or regression
/// shrunk to 0.
struct RowStochastic {
  double null_mass = 0;

  static constexpr const char* name = "RowStochastic";
  static constexpr const char* formula = "l_i = 1 / (null_mass + sum_j w_j K_ij), r_j = w_j";
  static constexpr RightFrom right_from = RightFrom::key_weights;
  static constexpr bool divides_by_row_mass = true, rows_stand_alone = true;
  static constexpr auto fields() { return std::tuple{Field{"null_mass", &RowStochastic::null_mass}}; }
  bool operator==(const RowStochastic&) const = default;
};

}  // namespace likewise
