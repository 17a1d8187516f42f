#pragma once

#include <likewise/kernel/traits.hpp>

namespace likewise {

/// phi(d) = (1 + sqrt(5) d/h + 5 d^2/(3 h^2)) exp(-sqrt(5) d/h): the covariance of smoothness 5/2, twice differentiable
/// (Matern 1960).
struct Matern52 {
  Bandwidth bandwidth = {};

  static constexpr const char* name = "Matern52";
  static constexpr const char* formula = "(1 + sqrt(5) d / h + 5 d^2 / (3 h^2)) exp(-sqrt(5) d / h)";
  static constexpr auto fields() { return std::tuple{Field{"bandwidth", &Matern52::bandwidth}}; }
  static constexpr KernelTraits traits() {
    return {.input = KernelInput::distance, .positive_definite = true};
  }

  static constexpr void check() {}
  template <class U> static auto log_phi(U u, double h) {
    const auto a = u * (std::sqrt(5.0) / h);
    return log1p(finite(a + a * a * (1.0 / 3))) - a;  // also where a * a is infinite
  }
  /// The difference that the expression's own derivative is has no digits at small distances.
  template <class U> static auto log_slope(U u, double h) {
    const auto b = 1 / (u * (std::sqrt(5.0) / h));
    return -std::sqrt(5.0) / 3 / h / (b + 1.0 / 3 / (1 + b));
  }
  static double steepest(double h) { return std::sqrt(5.0) / h; }
  /// surface * (h/sqrt(5))^d * Gamma(d) (1 + d + d (d + 1)/3)
  double log_integral(Index d, double h) const {
    const double n = static_cast<double>(d);
    return detail::log_radial_integral(d, h / std::sqrt(5.0),
                                       std::lgamma(n) + std::log(1 + n + n * (n + 1) / 3));
  }

  bool operator==(const Matern52&) const = default;
};

}  // namespace likewise
