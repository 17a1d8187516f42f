#pragma once

#include <likewise/metric/traits.hpp>

namespace likewise {

/// c(x,z) = -<x,z>: the score of self-attention with its sign turned. Symmetric, but no distance.
struct DotProduct {
  static constexpr const char* name = "DotProduct";
  static constexpr const char* formula = "-<x, z>";
  static constexpr auto fields() { return std::tuple{}; }
  static constexpr MetricTraits traits() {
    return {.symmetric = true, .lift = LiftLaws{.power = 0, .ratio = 0}};
  }
  static constexpr void check() {}
  static constexpr Widths widths() { return equal_widths; }
  static constexpr std::optional<CoordinateSum> coordinate_sum() { return {}; }
  static constexpr double projection_size(double, double) { return 0; }
  static constexpr std::optional<FeatureSum> feature_sum() { return FeatureSum{FeatureTerm::product}; }
  static constexpr bool identity_lift = true;

  template <class T> T cost(const RowRef<T>& x, const RowRef<T>& z) const { return -x.dot(z); }
  template <class T> Lift<T> lift_queries(const Points<T>& x) const { return {x, Vector<T>::Zero(x.rows())}; }
  template <class T> Lift<T> lift_keys(const Points<T>& z) const { return {z, Vector<T>::Zero(z.rows())}; }

  template <class T>
  void vjp(const Points<T>&, Lift<T> gx, const Points<T>&, Lift<T> gz, PointGradient<T>& out) const {
    out.queries = std::move(gx.features);
    out.keys = std::move(gz.features);
  }

  bool operator==(const DotProduct&) const = default;
};

}  // namespace likewise
