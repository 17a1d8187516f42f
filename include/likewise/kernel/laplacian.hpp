#pragma once

#include <likewise/kernel/traits.hpp>

namespace likewise {

/// phi(d) = exp(-d/h).
struct Laplacian {
  Bandwidth bandwidth = {};

  static constexpr const char* name = "Laplacian";
  static constexpr const char* formula = "exp(-d / h)";
  static constexpr auto fields() { return std::tuple{Field{"bandwidth", &Laplacian::bandwidth}}; }
  static constexpr KernelTraits traits() {
    return {.input = KernelInput::distance, .positive_definite = true};
  }

  static constexpr void check() {}
  template <class U> static constexpr auto log_phi(U u, double h) { return u * (-1 / h); }
  static double steepest(double h) { return 1 / h; }
  /// surface * h^d * Gamma(d)
  double log_integral(Index d, double h) const {
    return detail::log_radial_integral(d, h, std::lgamma(static_cast<double>(d)));
  }

  bool operator==(const Laplacian&) const = default;
};

}  // namespace likewise
