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

  template <class T> void log_weights(Tile<T> d2, T h) const {
    d2 = (d2 / h) * (T(-0.5) / h);
  }  // h^2 would underflow
  template <class T> void log_slopes(Tile<T> d2, const Points<T>&, T h) const {
    d2.setConstant(T(-0.5) / h / h);
  }
  double weight(double d2, double h) const { return std::exp(-0.5 * d2 / (h * h)); }
  /// (2 pi)^(d/2) h^d
  double log_integral(Index d, double h) const {
    return static_cast<double>(d) * (0.5 * std::log(2 * std::numbers::pi) + std::log(h));
  }

  bool operator==(const Gaussian&) const = default;
};

}  // namespace likewise
