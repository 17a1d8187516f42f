#pragma once

#include <cmath>

#include <likewise/metric/traits.hpp>

namespace likewise {

/// c(x,z) = (sum_k |x_k - z_k|^p)^(1/p), p > 0; a distance for p >= 1 (below, the triangle inequality fails).
struct Minkowski {
  double p = 2;

  static constexpr const char* name = "Minkowski";
  static constexpr auto fields() { return std::tuple{Field{"p", &Minkowski::p}}; }
  constexpr MetricTraits traits() const {
    return {.symmetric = true, .zero_on_self = true, .triangle_inequality = p >= 1, .shift_invariant = true,
            .distance_power = 1};
  }

  // The largest difference is taken out first, so that no power overflows or vanishes.
  template <class T>
  T cost(const RowRef<T>& x, const RowRef<T>& z) const {
    const T largest = (x - z).template lpNorm<Eigen::Infinity>();
    if (!(largest > 0)) return largest;
    const T sum = ((x - z).array().abs() / largest).pow(T(p)).sum();
    return largest * std::pow(sum, T(1 / p));
  }
  template <class T>
  void fill(const Points<T>& x, const Points<T>& z, Tile<T> out) const {
    for (Index i = 0; i < x.rows(); ++i)
      for (Index j = 0; j < z.rows(); ++j) out(i, j) = cost<T>(x.row(i), z.row(j));
  }

  bool operator==(const Minkowski&) const = default;
};

}  // namespace likewise
