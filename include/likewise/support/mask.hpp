#pragma once

#include <likewise/shared.hpp>
#include <likewise/value.hpp>

namespace likewise {

/// A boolean n_queries x n_keys matrix, true = may attend.
struct Mask {
  Shared<BoolMatrix> admitted;

  static constexpr const char* name = "Mask";
  static constexpr const char* formula = "keys that the mask admits";
  static constexpr auto fields() { return std::tuple{Field{"admitted", &Mask::admitted}}; }
  bool operator==(const Mask&) const = default;
};

}  // namespace likewise
