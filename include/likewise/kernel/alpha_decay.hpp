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

  void check() const { detail::require_positive("decay", decay); }
  template <class U> auto log_phi(U u, double h) const { return -pow(u * (1 / h), decay); }
  /// surface * h^d * Gamma(d/decay) / decay
  double log_integral(Index d, double h) const {
    return detail::log_radial_integral(d, h, std::lgamma(static_cast<double>(d) / decay) - std::log(decay));
  }

  bool operator==(const AlphaDecay&) const = default;
};

}  // namespace likewise
