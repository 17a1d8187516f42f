#pragma once

#include <likewise/kernel/traits.hpp>

namespace likewise {

/// phi(d) = ((1 - (d/h)^3)+)^3, zero beyond the bandwidth h.
struct Tricube {
  Bandwidth bandwidth = {};

  static constexpr const char* name = "Tricube";
  static constexpr const char* formula = "max(0, 1 - (d / h)^3)^3";
  static constexpr auto fields() { return std::tuple{Field{"bandwidth", &Tricube::bandwidth}}; }
  static constexpr KernelTraits traits() { return {.input = KernelInput::distance, .compact = true}; }

  static constexpr void check() {}
  template <class U> static constexpr auto log_phi(U u, double h) {
    const auto r = u * (1 / h);
    return 3 * log(positive(1 - r * r * r));
  }
  static double steepest(double h) { return 2 / h; }  // 9 r^2 (1 - r^3)^2 at r^3 = 1/4
  /// Of the distance itself: 0 exactly from d = h on, and no digits lost below.
  double log_weight_at(double d, double h) const {
    const double r = d / h;
    return r < 1 ? 3 * std::log((1 - r) * (1 + r * (1 + r))) : -detail::infinity;
  }
  /// surface * h^d * (1/d - 3/(d+3) + 3/(d+6) - 1/(d+9))
  double log_integral(Index d, double h) const {
    const double n = static_cast<double>(d);
    return detail::log_radial_integral(d, h, std::log(162 / (n * (n + 3) * (n + 6) * (n + 9))));
  }

  bool operator==(const Tricube&) const = default;
};

}  // namespace likewise
