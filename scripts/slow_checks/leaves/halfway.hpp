#pragma once

#include <likewise/value.hpp>

namespace likewise {

/// Half a step.
struct Halfway {
  static constexpr const char* name = "Halfway";
  static constexpr const char* formula = "F = (V + P V) / 2";
  static constexpr auto fields() { return std::tuple{}; }
  bool operator==(const Halfway&) const = default;
};

}  // namespace likewise
