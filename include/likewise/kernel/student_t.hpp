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

  void check() const { detail::require_positive("df", df); }
  template <class U> auto log_phi(U u, double h) const {
    return -0.5 * (df + 1) * log1p(u * (1 / h) * (1 / h / df));
  }
  double steepest(double h) const { return 0.5 * (df + 1) / df / h / h; }
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
