#pragma once

#include <likewise/kernel/traits.hpp>

namespace likewise {

/// phi(d) = exp(-d^2/(2 h^2)), d a distance, h the bandwidth (a length). gamma = 1/(2 h^2).
struct Gaussian {
  Bandwidth bandwidth = {};

  static constexpr const char* name = "Gaussian";
  static constexpr const char* formula = "exp(-d^2 / (2 h^2))";
  static constexpr auto fields() { return std::tuple{Field{"bandwidth", &Gaussian::bandwidth}}; }
  static constexpr KernelTraits traits() {
    return {.input = KernelInput::squared_distance, .positive_definite = true};
  }

  static constexpr void check() {}
  template <class U> static constexpr auto log_phi(U u, double h) {  // by two factors: h^2 would underflow
    return u * (1 / h) * (-0.5 / h);
  }
  static double steepest(double h) { return 0.5 / h / h; }
  /// (2 pi)^(d/2) h^d
  double log_integral(Index d, double h) const {
    return static_cast<double>(d) * (0.5 * std::log(2 * std::numbers::pi) + std::log(h));
  }

  bool operator==(const Gaussian&) const = default;
};

}  // namespace likewise
