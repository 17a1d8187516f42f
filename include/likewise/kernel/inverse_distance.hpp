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

  template <class T> void log_weights(Tile<T> d, T) const {
    d = (d.array() > T(0)).select(-d.array().log(), T(log_weight_on_self));
  }
  template <class T> void log_slopes(Tile<T> d, const Points<T>&, T) const {
    d = (d.array() > T(0)).select(T(-1) / d.array(), T(0));
  }
  double weight(double d, double) const { return 1 / d; }
  /// Of the reported distance itself: whether it is 0 decides which keys count.
  double log_weight_at(double d, double) const { return d > 0 ? -std::log(d) : log_weight_on_self; }
  double log_integral(Index, double) const { return detail::infinity; }

  bool operator==(const InverseDistance&) const = default;
};

}  // namespace likewise
