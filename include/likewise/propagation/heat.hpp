#pragma once

#include <likewise/value.hpp>

namespace likewise {

/// Heat that flows for a time t: steps at random times, one per unit of time on average.
struct Heat {
  double t = 1;

  static constexpr const char* name = "Heat";
  static constexpr const char* formula = "F = exp(-t (I - P)) V";
  static constexpr auto fields() { return std::tuple{Field{"t", &Heat::t}}; }
  bool operator==(const Heat&) const = default;
};

}  // namespace likewise
