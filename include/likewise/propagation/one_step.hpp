#pragma once

#include <likewise/value.hpp>

namespace likewise {

/// One product with the operator: kernel regression, nearest neighbors, attention.
struct OneStep {
  static constexpr const char* name = "OneStep";
  static constexpr const char* formula = "F = P V";
  static constexpr auto fields() { return std::tuple{}; }
  bool operator==(const OneStep&) const = default;
};

}  // namespace likewise
