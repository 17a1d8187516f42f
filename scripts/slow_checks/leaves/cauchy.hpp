#pragma once

#include <likewise/kernel/traits.hpp>

namespace likewise {

/// phi(d) = 1 / (1 + d^2/h^2).
struct Cauchy {
  Bandwidth bandwidth = {};

  static constexpr const char* name = "Cauchy";
  static constexpr const char* formula = "1 / (1 + d^2 / h^2)";
  static constexpr auto fields() { return std::tuple{Field{"bandwidth", &Cauchy::bandwidth}}; }
  static constexpr KernelTraits traits() { return {.input = KernelInput::squared_distance}; }

  static constexpr void check() {}
  template <class U> static constexpr auto log_phi(U u, double h) { return -log1p(u * (1 / h) * (1 / h)); }
  double log_integral(Index, double) const { return detail::infinity; }

  bool operator==(const Cauchy&) const = default;
};

}  // namespace likewise
