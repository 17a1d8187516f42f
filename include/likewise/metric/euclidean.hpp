#pragma once

#include <likewise/metric/squared_euclidean.hpp>

namespace likewise {

/// c(x,z) = |x-z|. Lifts as its square; kernels take the root only if they need it. Unit length.
struct Euclidean {
  static constexpr const char* name = "Euclidean";
  static constexpr const char* formula = "|x - z|";
  static constexpr auto fields() { return std::tuple{}; }
  static constexpr MetricTraits traits() {
    return {.symmetric = true,
            .zero_on_self = true,
            .triangle_inequality = true,
            .shift_invariant = true,
            .distance_power = 1,
            .lift = LiftLaws{.power = 2, .ratio = 2}};
  }
  static constexpr void check() {}
  static constexpr Widths widths() { return equal_widths; }
  static constexpr std::optional<CoordinateSum> coordinate_sum() {
    return CoordinateSum{.power = 2, .factor = nullptr};
  }
  static constexpr double projection_size(double, double) { return 0; }

  template <class T> T cost(const RowRef<T>& x, const RowRef<T>& z) const { return (x - z).norm(); }
  template <class T> Lift<T> lift_queries(const Points<T>& x) const {
    return SquaredEuclidean{}.lift_queries<T>(x);
  }
  template <class T> Lift<T> lift_keys(const Points<T>& z) const {
    return SquaredEuclidean{}.lift_keys<T>(z);
  }

  template <class T>
  void vjp(const Points<T>& x, Lift<T> gx, const Points<T>& z, Lift<T> gz, PointGradient<T>& out) const {
    SquaredEuclidean{}.vjp<T>(x, std::move(gx), z, std::move(gz), out);
  }

  bool operator==(const Euclidean&) const = default;
};

}  // namespace likewise
