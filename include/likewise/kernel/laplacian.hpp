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

  template <class T> void log_weights(Tile<T> d, T h) const { d *= -1 / h; }
  template <class T> void log_slopes(Tile<T> d, const Points<T>&, T h) const { d.setConstant(-1 / h); }
  double weight(double d, double h) const { return std::exp(-d / h); }
  /// surface * h^d * Gamma(d)
  double log_integral(Index d, double h) const {
    return detail::log_radial_integral(d, h, std::lgamma(static_cast<double>(d)));
  }

  bool operator==(const Laplacian&) const = default;
};

}  // namespace likewise
