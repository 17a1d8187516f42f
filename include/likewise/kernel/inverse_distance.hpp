#pragma once

#include <likewise/kernel/traits.hpp>

namespace likewise {

/// phi(d) = 1/d, d as kneighbors reports it. Where some d = 0, only those keys count, equally (as in
/// scikit-learn). Row-stochastic use only.
struct InverseDistance {
  static constexpr const char* name = "InverseDistance";
  static constexpr const char* formula = "1 / d";
  static constexpr auto fields() { return std::tuple{}; }
  static constexpr KernelTraits traits() {
    return {.input = KernelInput::reported, .infinite_on_self = true};
  }

  // A finite stand-in for log(1/0), so far above log(1/d) of every other float64 d that those keys weigh 0
  // beside it.
  static constexpr double log_weight_on_self = 4096;

  static constexpr void check() {}
  template <class U> static constexpr auto log_phi(U u, double) {
    return where_positive(-log(u), log_weight_on_self);
  }
  /// Of the reported distance itself: whether it is 0 decides which keys count.
  double log_weight_at(double d, double) const { return d > 0 ? -std::log(d) : log_weight_on_self; }
  double log_integral(Index, double) const { return detail::infinity; }

  bool operator==(const InverseDistance&) const = default;
};

}  // namespace likewise
