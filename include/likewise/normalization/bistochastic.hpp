#pragma once

#include <likewise/normalization/traits.hpp>

namespace likewise {

/// exp(f_i) K_ij exp(f_j) w_j with rows that sum to 1 (and columns to w_j): symmetric Sinkhorn in the log
/// domain, f <- (f + T f)/2 with T f = -log sum_j w_j K_ij exp(f_j), until max |row sum - 1| <= tol.
struct Bistochastic {
  double tol = 1e-8;
  int max_iter = 1000;

  static constexpr const char* name = "Bistochastic";
  static constexpr const char* formula = "l_i = exp(f_i), r_j = w_j exp(f_j), rows sum to 1";
  static constexpr RightFrom right_from = RightFrom::keys;
  static constexpr bool divides_by_row_mass = true, rows_stand_alone = true;
  static constexpr auto fields() {
    return std::tuple{Field{"tol", &Bistochastic::tol}, Field{"max_iter", &Bistochastic::max_iter}};
  }
  bool operator==(const Bistochastic&) const = default;
};

}  // namespace likewise
