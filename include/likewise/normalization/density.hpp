#pragma once

#include <likewise/normalization/traits.hpp>

namespace likewise {

/// r_j = w_j q_j^-alpha with q_j = sum_k w_k K_jk, then row-stochastic (Coifman and Lafon 2006): alpha = 1
/// forgets the sampling density, 0 is RowStochastic, 1/2 the Fokker-Planck limit.
struct Density {
  double alpha = 1;

  static constexpr const char* name = "Density";
  static constexpr const char* formula =
      "l_i = 1 / sum_j r_j K_ij, r_j = w_j q_j^-alpha, q_j = sum_k w_k K_jk";
  static constexpr RightFrom right_from = RightFrom::keys;
  static constexpr bool divides_by_row_mass = true, rows_stand_alone = true;
  static constexpr auto fields() { return std::tuple{Field{"alpha", &Density::alpha}}; }
  bool operator==(const Density&) const = default;
};

}  // namespace likewise
