#pragma once

#include <likewise/value.hpp>

namespace likewise {

/// Everybody but oneself: pair (i, i) is left out. Square operators only.
struct LeaveOneOut {
  static constexpr const char* name = "LeaveOneOut";
  static constexpr const char* formula = "j != i";
  static constexpr auto fields() { return std::tuple{}; }
  bool operator==(const LeaveOneOut&) const = default;
};

}  // namespace likewise
