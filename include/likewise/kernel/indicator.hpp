#pragma once

#include <likewise/kernel/traits.hpp>

namespace likewise {

/// phi(d) = 1 where d <= h, else 0. Without a bandwidth: 1 on the whole support, with any metric, whatever
/// the input; the engine applies masks after such a kernel.
struct Indicator {
  Bandwidth bandwidth = {};

  static constexpr const char* name = "Indicator";
  static constexpr const char* formula = "1 where d <= h, else 0";
  static constexpr auto fields() { return std::tuple{Field{"bandwidth", &Indicator::bandwidth}}; }
  KernelTraits traits() const {
    return bandwidth.is_open() ? KernelTraits{.input = KernelInput::nothing, .positive_definite = true}
                               : KernelTraits{.input = KernelInput::squared_distance, .compact = true};
  }

  static constexpr void check() {}
  template <class U> auto log_phi(U u, double h) const {
    return step(u, bandwidth.is_open() ? detail::infinity : std::min(h * h, detail::largest));
  }
  /// Of the distance itself: a square would be rounded before it is compared.
  double log_weight_at(double d, double h) const { return d <= h ? 0 : -detail::infinity; }
  /// The volume of a ball of radius h; without a bandwidth infinite.
  double log_integral(Index d, double h) const {
    if (bandwidth.is_open()) return detail::infinity;
    return detail::log_radial_integral(d, h, -std::log(static_cast<double>(d)));
  }

  bool operator==(const Indicator&) const = default;
};

}  // namespace likewise
