#pragma once

#include <likewise/value.hpp>

namespace likewise {

/// Half a step.
struct Lazy {
  static constexpr const char* name = "Lazy";
  static constexpr const char* formula = "F = (V + P V) / 2";
  static constexpr auto fields() { return std::tuple{}; }
  bool operator==(const Lazy&) const = default;
};

}  // namespace likewise
