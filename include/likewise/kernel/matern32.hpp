#pragma once

#include <likewise/kernel/traits.hpp>

namespace likewise {

/// phi(d) = (1 + sqrt(3) d/h) exp(-sqrt(3) d/h): the covariance of smoothness 3/2, once differentiable
/// (Matern 1960).
struct Matern32 {
  Bandwidth bandwidth = {};

  static constexpr const char* name = "Matern32";
  static constexpr const char* formula = "(1 + sqrt(3) d / h) exp(-sqrt(3) d / h)";
  static constexpr auto fields() { return std::tuple{Field{"bandwidth", &Matern32::bandwidth}}; }
  static constexpr KernelTraits traits() {
    return {.input = KernelInput::distance, .positive_definite = true};
  }

  static constexpr void check() {}
  template <class U> static auto log_phi(U u, double h) {
    const auto a = u * (std::sqrt(3.0) / h);
    return log1p(finite(a)) - a;  // also where a is infinite
  }
  /// The difference that the expression's own derivative is has no digits at small distances.
  template <class U> static auto log_slope(U u, double h) {
    const auto a = u * (std::sqrt(3.0) / h);
    return -std::sqrt(3.0) / h / (1 + 1 / a);
  }
  static double steepest(double h) { return std::sqrt(3.0) / h; }
  /// surface * (h/sqrt(3))^d * Gamma(d) (1 + d)
  double log_integral(Index d, double h) const {
    const double n = static_cast<double>(d);
    return detail::log_radial_integral(d, h / std::sqrt(3.0), std::lgamma(n) + std::log(1 + n));
  }

  bool operator==(const Matern32&) const = default;
};

}  // namespace likewise
