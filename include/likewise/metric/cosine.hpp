#pragma once

#include <cmath>
#include <limits>

#include <likewise/metric/traits.hpp>

namespace likewise {

/// c(x,z) = 1 - <x,z>/(|x||z|) = |x/|x| - z/|z||^2 / 2: half a squared distance on the sphere.
/// A zero point has cosine 0 to every point, itself included (as in scikit-learn). Dimensionless, in [0, 2].
struct Cosine {
  static constexpr const char* name = "Cosine";
  static constexpr const char* formula = "1 - <x, z> / (|x| |z|)";
  static constexpr auto fields() { return std::tuple{}; }
  static constexpr MetricTraits traits() {
    return {.symmetric = true,
            .zero_on_self = true,
            .triangle_inequality = true,
            .distance_power = 2,
            .lift = LiftLaws{.power = 2, .ratio = 1},
            .half_chord = true};
  }
  static constexpr void check() {}
  static constexpr Widths widths() { return equal_widths; }
  static constexpr std::optional<CoordinateSum> coordinate_sum() { return {}; }
  static constexpr double projection_size(double, double) { return 0; }

  template <class T> T cost(const RowRef<T>& x, const RowRef<T>& z) const {
    // As half a squared distance: 0 of a point and itself, never negative, no cancellation at small angles.
    const T a = length<T>(x), b = length<T>(z);
    if (!(a > 0) || !(b > 0)) return 1;
    return (x / a - z / b).squaredNorm() / 2;
  }
  template <class T> Lift<T> lift_queries(const Points<T>& x) const {
    return {unit_rows<T>(x), Vector<T>::Ones(x.rows())};
  }
  template <class T> Lift<T> lift_keys(const Points<T>& z) const {
    return {unit_rows<T>(z), Vector<T>::Zero(z.rows())};
  }

  template <class T>
  void vjp(const Points<T>& x, const Lift<T>& gx, const Points<T>& z, const Lift<T>& gz,
           PointGradient<T>& out) const {
    out.queries = along_sphere<T>(x, gx.features);
    out.keys = along_sphere<T>(z, gz.features);
  }

  bool operator==(const Cosine&) const = default;

 private:
  /// |x|, by squares where these neither overflow nor vanish: one pass instead of three.
  template <class T> static T length(const RowRef<T>& x) {
    constexpr T least = std::numeric_limits<T>::min() / std::numeric_limits<T>::epsilon();
    const T square = x.squaredNorm();
    return square > least && square < 1 / least ? std::sqrt(square) : x.stableNorm();
  }
  /// d(x/|x|)/dx applied to g: the part of g across x, over |x|; 0 at a zero point.
  template <class T> static Matrix<T> along_sphere(const Points<T>& x, const Matrix<T>& g) {
    Matrix<T> result = Matrix<T>::Zero(x.rows(), x.cols());
    for (Index i = 0; i < x.rows(); ++i) {
      const T length = x.row(i).stableNorm();
      if (!(length > 0)) continue;
      const auto unit = (x.row(i) / length).eval();
      result.row(i) = (g.row(i) - g.row(i).dot(unit) * unit) / length;
    }
    return result;
  }
  template <class T> static Matrix<T> unit_rows(const Points<T>& x) {
    Matrix<T> unit = x;
    for (Index i = 0; i < unit.rows(); ++i) unit.row(i).stableNormalize();  // leaves a zero row as it is
    return unit;
  }
};

}  // namespace likewise
