#pragma once

#include <likewise/kernel/traits.hpp>

namespace likewise {

/// phi(d) = (1 + d^2/(df h^2))^(-(df+1)/2): heavy tails; df = 1 is the weight of t-SNE.
struct StudentT {
  Bandwidth bandwidth = {};
  double df = 1;

  static constexpr const char* name = "StudentT";
  static constexpr const char* formula = "(1 + d^2 / (df h^2))^(-(df + 1) / 2)";
  static constexpr auto fields() {
    return std::tuple{Field{"bandwidth", &StudentT::bandwidth}, Field{"df", &StudentT::df}};
  }
  static constexpr KernelTraits traits() {
    return {.input = KernelInput::squared_distance, .positive_definite = true};
  }

  template <class T> void log_weights(Tile<T> d2, T h) const {
    d2 = T(-0.5 * (df + 1)) * (T(1) + d2.array() / h / h / T(df)).log();
  }
  template <class T> void log_slopes(Tile<T> d2, const Points<T>&, T h) const {
    d2 = T(-0.5 * (df + 1) / df) / h / h / (T(1) + d2.array() / h / h / T(df));
  }
  double weight(double d2, double h) const { return std::pow(1 + d2 / (df * h * h), -0.5 * (df + 1)); }
  /// (pi df)^(d/2) h^d Gamma((df+1-d)/2) / Gamma((df+1)/2), finite where d < df + 1.
  double log_integral(Index d, double h) const {
    const double n = static_cast<double>(d);
    if (n >= df + 1) return detail::infinity;
    return 0.5 * n * std::log(std::numbers::pi * df) + n * std::log(h) + std::lgamma(0.5 * (df + 1 - n))
           - std::lgamma(0.5 * (df + 1));
  }

  bool operator==(const StudentT&) const = default;
};

}  // namespace likewise
