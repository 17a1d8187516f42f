#pragma once

#include <likewise/normalization/traits.hpp>

namespace likewise {

/// K_ij / sum_i K_ij: columns that sum to 1 (to w_j under key weights, which on a self-operator weigh the rows too). Of new rows
/// their own columns: what a row is depends on the rows that it is asked with. Where K is symmetric, rows of it divided by their
/// sums once more are Density(1).
struct Column {
  static constexpr const char* name = "Column";
  static constexpr const char* formula = "l_i = 1, r_j = w_j / sum_i w_i K_ij (across: w_j / sum_i K_ij)";
  static constexpr RightFrom right_from = RightFrom::columns;
  static constexpr bool divides_by_row_mass = false, rows_stand_alone = false;
  static constexpr auto fields() { return std::tuple{}; }
  bool operator==(const Column&) const = default;
};

}  // namespace likewise
