#pragma once

#include <likewise/kernel/traits.hpp>

namespace likewise {

/// phi(d) = (1 - d^2/h^2)+, zero beyond the bandwidth h.
struct Epanechnikov {
  Bandwidth bandwidth = {};

  static constexpr const char* name = "Epanechnikov";
  static constexpr const char* formula = "max(0, 1 - d^2 / h^2)";
  static constexpr auto fields() { return std::tuple{Field{"bandwidth", &Epanechnikov::bandwidth}}; }
  static constexpr KernelTraits traits() { return {.input = KernelInput::squared_distance, .compact = true}; }

  static constexpr void check() {}
  template <class U> static constexpr auto log_phi(U u, double h) {
    return log(positive(1 - u * (1 / h) * (1 / h)));
  }
  static double steepest(double h) { return 1 / h / h; }
  /// Of the distance itself: 0 exactly from d = h on, and no digits lost below.
  double log_weight_at(double d, double h) const {
    const double r = d / h;
    return r < 1 ? std::log((1 - r) * (1 + r)) : -detail::infinity;
  }
  /// surface * h^d * 2 / (d (d + 2))
  double log_integral(Index d, double h) const {
    const double n = static_cast<double>(d);
    return detail::log_radial_integral(d, h, std::log(2 / (n * (n + 2))));
  }

  bool operator==(const Epanechnikov&) const = default;
};

}  // namespace likewise
