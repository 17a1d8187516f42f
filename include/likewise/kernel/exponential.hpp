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

  template <class T> void log_weights(Tile<T> cost, T t) const {
    // A cost may be negative: an exponent that overflows stays finite, or a row's maximum would be inf - inf.
    cost = (cost * (-1 / t)).cwiseMin(std::numeric_limits<T>::max());
  }
  template <class T> void log_slopes(Tile<T> cost, const Points<T>&, T t) const { cost.setConstant(-1 / t); }
  double weight(double c, double t) const { return std::exp(-c / t); }
  /// As a density of a squared Euclidean cost: (pi t)^(d/2).
  double log_integral(Index d, double t) const {
    return 0.5 * static_cast<double>(d) * std::log(std::numbers::pi * t);
  }

  bool operator==(const Exponential&) const = default;
};

}  // namespace likewise
