#pragma once

#include <likewise/kernel/traits.hpp>

namespace likewise {

/// phi(c) = exp(-c/t) of any cost c; t > 0 has the unit of the cost. With DotProduct: softmax attention.
struct Exponential {
  double temperature = 1;

  static constexpr const char* name = "Exponential";
  static constexpr const char* formula = "exp(-c / t)";
  static constexpr auto fields() { return std::tuple{Field{"temperature", &Exponential::temperature}}; }
  static constexpr KernelTraits traits() { return {.input = KernelInput::cost, .positive_definite = true}; }

  void check() const { detail::require_positive("temperature", temperature); }
  /// A cost may be negative: were the exponent infinite, a row's maximum would be inf - inf.
  template <class U> static constexpr auto log_phi(U u, double t) { return finite(u * (-1 / t)); }
  static double steepest(double t) { return 1 / t; }
  /// As a density of a squared Euclidean cost: (pi t)^(d/2).
  double log_integral(Index d, double t) const {
    return 0.5 * static_cast<double>(d) * std::log(std::numbers::pi * t);
  }

  bool operator==(const Exponential&) const = default;
};

}  // namespace likewise
