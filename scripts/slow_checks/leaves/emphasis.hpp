#pragma once

#include <likewise/value.hpp>

namespace likewise {

/// r_j = w_j D_j: dense places speak louder; rows sum to 1.
struct Emphasis {
  static constexpr const char* name = "Emphasis";
  static constexpr const char* formula = "r_j = w_j D_j, rows sum to 1";
  static constexpr auto fields() { return std::tuple{}; }
  bool operator==(const Emphasis&) const = default;
};

}  // namespace likewise
