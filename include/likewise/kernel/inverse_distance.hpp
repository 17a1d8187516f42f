#pragma once

#include <likewise/kernel/traits.hpp>

namespace likewise {

/// phi(d) = d^-power, d as kneighbors reports it. Where some d = 0, only those keys count, equally (as in
/// scikit-learn). Row-stochastic use only. With power 2/(m - 1) it is the weight of fuzzy c-means (Bezdek 1981).
struct InverseDistance {
  double power = 1;

  static constexpr const char* name = "InverseDistance";
  static constexpr const char* formula = "1 / d^power";
  static constexpr auto fields() { return std::tuple{Field{"power", &InverseDistance::power}}; }
  static constexpr KernelTraits traits() {
    return {.input = KernelInput::reported, .infinite_on_self = true};
  }

  /// A finite stand-in for log(1/0), so far above log phi of every other float64 d that those keys weigh 0
  /// beside it.
  double log_weight_on_self() const { return 4096 * std::max(1.0, power); }

  void check() const { detail::require_positive("power", power); }
  template <class U> auto log_phi(U u, double) const {
    return where_positive(-power * log(u), log_weight_on_self());
  }
  /// Of the reported distance itself: whether it is 0 decides which keys count.
  double log_weight_at(double d, double) const { return d > 0 ? -power * std::log(d) : log_weight_on_self(); }
  double log_integral(Index, double) const { return detail::infinity; }

  bool operator==(const InverseDistance&) const = default;
};

}  // namespace likewise
