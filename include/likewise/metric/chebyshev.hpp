#pragma once

#include <limits>

#include <likewise/metric/traits.hpp>

namespace likewise {

/// c(x,z) = max_k |x_k - z_k|, a distance. Does not lift: O(d) a pair, in tiles.
struct Chebyshev {
  static constexpr const char* name = "Chebyshev";
  static constexpr const char* formula = "max_k |x_k - z_k|";
  static constexpr auto fields() { return std::tuple{}; }
  static constexpr MetricTraits traits() {
    return {.symmetric = true,
            .zero_on_self = true,
            .triangle_inequality = true,
            .shift_invariant = true,
            .distance_power = 1};
  }
  static constexpr void check() {}
  static constexpr Widths widths() { return equal_widths; }
  static constexpr std::optional<CoordinateSum> coordinate_sum() {
    return CoordinateSum{.power = std::numeric_limits<double>::infinity(), .factor = nullptr};
  }

  template <class T> T cost(const RowRef<T>& x, const RowRef<T>& z) const {
    return (x - z).template lpNorm<Eigen::Infinity>();
  }
  template <class T> void fill(const Points<T>& x, const Points<T>& z, Tile<T> out) const {
    detail::fold_features<T>(x, z, out,
                             [&](Index i, const auto& d) { out.row(i).array() = out.row(i).array().max(d); });
  }

  template <class T>
  void vjp_tile(const Points<T>& x, const Points<T>& z, const Points<T>& dcost, Tile<T> gx,
                Tile<T> gz) const {
    for (Index i = 0; i < x.rows(); ++i)
      for (Index j = 0; j < z.rows(); ++j) {
        Index k = 0;
        if (!((x.row(i) - z.row(j)).cwiseAbs().maxCoeff(&k) > 0)) continue;
        const T slope = x(i, k) > z(j, k) ? dcost(i, j) : -dcost(i, j);
        gx(i, k) += slope;
        gz(j, k) -= slope;
      }
  }

  bool operator==(const Chebyshev&) const = default;
};

}  // namespace likewise
