#pragma once

#include <cmath>
#include <limits>

#include <likewise/metric/chebyshev.hpp>
#include <likewise/metric/manhattan.hpp>

namespace likewise {

/// c(x,z) = (sum_k |x_k - z_k|^p)^(1/p), 0 < p <= inf; a distance for p >= 1 (below, the triangle inequality
/// fails).
struct Minkowski {
  double p = 2;

  static constexpr const char* name = "Minkowski";
  static constexpr const char* formula = "(sum_k |x_k - z_k|^p)^(1/p)";
  static constexpr auto fields() { return std::tuple{Field{"p", &Minkowski::p}}; }
  constexpr MetricTraits traits() const {
    return {.symmetric = true,
            .zero_on_self = true,
            .triangle_inequality = p >= 1,
            .shift_invariant = true,
            .distance_power = 1};
  }
  void check() const;
  static constexpr Widths widths() { return equal_widths; }
  constexpr std::optional<CoordinateSum> coordinate_sum() const {
    return CoordinateSum{.power = p, .factor = nullptr};
  }

  // The largest difference is taken out first, so that no power overflows or vanishes.
  template <class T> T cost(const RowRef<T>& x, const RowRef<T>& z) const {
    const T largest = (x - z).template lpNorm<Eigen::Infinity>();
    if (!(largest > 0)) return largest;
    const T sum = power((x - z).array().abs() / largest).sum();
    return largest * std::pow(sum, T(1 / p));
  }
  template <class T> void fill(const Points<T>& x, const Points<T>& z, Tile<T> out) const {
    if (p == 1) return Manhattan{}.fill<T>(x, z, out);
    const Matrix<T> largest = [&] {
      Matrix<T> tile(out.rows(), out.cols());
      Chebyshev{}.fill<T>(x, z, tile);
      return tile;
    }();
    if (std::isinf(p)) {
      out = largest;
      return;
    }
    const Matrix<T> unit = largest.cwiseMax(std::numeric_limits<T>::min());  // 0/unit is 0, not NaN
    detail::fold_features<T>(
        x, z, out, [&](Index i, const auto& d) { out.row(i).array() += power(d / unit.row(i).array()); });
    out.array() = largest.array() * out.array().pow(T(1 / p));
  }

  template <class T>
  void vjp_tile(const Points<T>& x, const Points<T>& z, const Points<T>& dcost, Tile<T> gx,
                Tile<T> gz) const {
    if (std::isinf(p)) return Chebyshev{}.vjp_tile<T>(x, z, dcost, gx, gz);
    detail::vjp_features<T>(x, z, gx, gz, [&](Index i, Index j, const auto& difference) {
      using Row = Eigen::Array<T, 1, Eigen::Dynamic>;
      const T c = cost<T>(x.row(i), z.row(j));
      if (!(c > 0)) return Row(Row::Zero(difference.size()));
      const Row share = difference.abs() / c;  // where it is 0 and p < 1 the slope has no bound: 0
      return Row((share > T(0)).select(dcost(i, j) * difference.sign() * share.pow(T(p - 1)), T(0)));
    });
  }

  bool operator==(const Minkowski&) const = default;

 private:
  /// share^p, 0 <= share <= 1. A small whole p is a few products, a general one takes 25 times as long.
  template <class Share> auto power(const Share& share) const {
    using T = typename Share::Scalar;
    Eigen::Array<T, 1, Eigen::Dynamic> result = share;
    constexpr double most = 8;
    if (p == std::floor(p) && p <= most) {
      const Eigen::Array<T, 1, Eigen::Dynamic> once = result;
      for (int factor = 1; factor < static_cast<int>(p); ++factor) result *= once;
    } else {
      result = result.pow(T(p));
    }
    return result;
  }
};

}  // namespace likewise
