#pragma once

#include <likewise/kernel/traits.hpp>

namespace likewise {

/// phi(d) = exp(-(d/h)^decay): decay 2 is a Gaussian in other units, large decays tend to the indicator
/// (PHATE).
struct AlphaDecay {
  Bandwidth bandwidth = {};
  double decay = 40;

  static constexpr const char* name = "AlphaDecay";
  static constexpr const char* formula = "exp(-(d / h)^decay)";
  static constexpr auto fields() {
    return std::tuple{Field{"bandwidth", &AlphaDecay::bandwidth}, Field{"decay", &AlphaDecay::decay}};
  }
  KernelTraits traits() const { return {.input = KernelInput::distance, .positive_definite = decay <= 2}; }

  template <class T> void log_weights(Tile<T> d, T h) const { d = -(d.array() / h).pow(T(decay)); }
  /// 0 at distance 0 also where decay < 1 and the slope has no bound.
  template <class T> void log_slopes(Tile<T> d, const Points<T>&, T h) const {
    d = (d.array() > T(0)).select(T(-decay) / h * (d.array() / h).pow(T(decay - 1)), T(0));
  }
  double weight(double d, double h) const { return std::exp(-std::pow(d / h, decay)); }
  /// surface * h^d * Gamma(d/decay) / decay
  double log_integral(Index d, double h) const {
    return detail::log_radial_integral(d, h, std::lgamma(static_cast<double>(d) / decay) - std::log(decay));
  }

  bool operator==(const AlphaDecay&) const = default;
};

}  // namespace likewise
