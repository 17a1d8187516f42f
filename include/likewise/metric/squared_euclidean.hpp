#pragma once

#include <likewise/metric/traits.hpp>

namespace likewise {

/// c(x,z) = |x-z|^2 = a(x) + b(z) - <A(x),B(z)>: a = |x|^2, b = |z|^2, A = x, B = 2z.
/// Unit length^2. Lifting n x d points: n x d features and n biases, O(nd).
struct SquaredEuclidean {
  static constexpr const char* name = "SquaredEuclidean";
  static constexpr const char* formula = "|x - z|^2";
  static constexpr auto fields() { return std::tuple{}; }
  static constexpr MetricTraits traits() {
    return {.symmetric = true,
            .zero_on_self = true,
            .triangle_inequality = true,
            .shift_invariant = true,
            .distance_power = 2,
            .lift = LiftLaws{.power = 2, .ratio = 2}};
  }
  static constexpr void check() {}
  static constexpr Widths widths() { return equal_widths; }
  static constexpr std::optional<CoordinateSum> coordinate_sum() {
    return CoordinateSum{.power = 2, .factor = nullptr};
  }
  static constexpr double projection_size(double, double) { return 0; }
  static constexpr std::optional<FeatureSum> feature_sum() { return FeatureSum{FeatureTerm::square}; }

  template <class T> T cost(const RowRef<T>& x, const RowRef<T>& z) const { return (x - z).squaredNorm(); }
  template <class T> Lift<T> lift_queries(const Points<T>& x) const { return {x, x.rowwise().squaredNorm()}; }
  template <class T> Lift<T> lift_keys(const Points<T>& z) const {
    return {T(2) * z, z.rowwise().squaredNorm()};
  }

  /// da/dx = db/dz = twice the point; features as they are lifted.
  template <class T>
  void vjp(const Points<T>& x, Lift<T> gx, const Points<T>& z, Lift<T> gz, PointGradient<T>& out) const {
    gx.features += T(2) * (gx.bias.asDiagonal() * x);
    gz.features += gz.bias.asDiagonal() * z;
    gz.features *= T(2);
    out.queries = std::move(gx.features);
    out.keys = std::move(gz.features);
  }

  bool operator==(const SquaredEuclidean&) const = default;
};

}  // namespace likewise
