#pragma once

#include <likewise/support/traits.hpp>

namespace likewise {

/// Everybody but oneself: pair (i, i) is left out. Square operators only.
struct LeaveOneOut {
  static constexpr const char* name = "LeaveOneOut";
  static constexpr const char* formula = "j != i";
  static constexpr auto fields() { return std::tuple{}; }

  static constexpr bool only_self = true;
  bool admits(Index i, Index j, const PairShape&) const { return i != j; }
  AdmittedKeys keys_of(Index i, const PairShape& shape) const { return {0, shape.n_keys, i}; }
  bool symmetric(const PairShape&) const { return true; }
  void check(const PairShape& shape) const;

  bool operator==(const LeaveOneOut&) const = default;
};

}  // namespace likewise
