#pragma once

#include <cmath>

#include <likewise/metric/traits.hpp>

namespace likewise {

/// c(x,z) = sum_k log(1 + |x_k - z_k|), a distance.
struct Lorentzian {
  static constexpr const char* name = "Lorentzian";
  static constexpr const char* formula = "sum_k log(1 + |x_k - z_k|)";
  static constexpr auto fields() { return std::tuple{}; }
  static constexpr MetricTraits traits() {
    return {.symmetric = true, .zero_on_self = true, .triangle_inequality = true, .distance_power = 1};
  }
  static constexpr void check() {}
  static constexpr Widths widths() { return equal_widths; }
  static constexpr std::optional<CoordinateSum> coordinate_sum() { return {}; }

  template <class T> T cost(const RowRef<T>& x, const RowRef<T>& z) const {
    return (x - z).array().abs().log1p().sum();
  }
  template <class T> void fill(const Points<T>& x, const Points<T>& z, Tile<T> out) const {
    detail::fold_features<T>(x, z, out, [&](Index i, const auto& d) { out.row(i).array() += d.log1p(); });
  }
  template <class T>
  void vjp_tile(const Points<T>& x, const Points<T>& z, const Points<T>& dcost, Tile<T> gx,
                Tile<T> gz) const {
    detail::vjp_features<T>(x, z, gx, gz, [&](Index i, Index j, const auto& difference) {
      return dcost(i, j) * difference.sign() / (T(1) + difference.abs());
    });
  }

  bool operator==(const Lorentzian&) const = default;
};

}  // namespace likewise
