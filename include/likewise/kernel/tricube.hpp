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

  template <class T> void log_weights(Tile<T> d, T h) const {
    d = T(3) * (T(1) - (d.array() / h).cube()).max(T(0)).log();
  }
  /// -9/h (d/h)^2 / K^(1/3): of the weight itself, for 1 - (d/h)^3 of a rounded d is another number near the edge.
  template <class T> void log_slopes(Tile<T> d, const Points<T>& log_k, T h) const {
    d = (log_k.array() > -std::numeric_limits<T>::infinity())
            .select(T(-9) / h * (d.array() / h).square() * (log_k.array() / T(-3)).exp(), T(0));
  }
  double weight(double d, double h) const { return std::pow(std::fmax(0.0, 1 - std::pow(d / h, 3)), 3); }
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
