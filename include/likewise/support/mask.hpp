#pragma once

#include <likewise/shared.hpp>
#include <likewise/support/traits.hpp>

namespace likewise {

/// A boolean n_queries x n_keys matrix, true = may attend.
struct Mask {
  Shared<BoolMatrix> admitted;

  static constexpr const char* name = "Mask";
  static constexpr const char* formula = "keys that the mask admits";
  static constexpr auto fields() { return std::tuple{Field{"admitted", &Mask::admitted}}; }

  static constexpr bool only_self = false;
  bool admits(Index i, Index j, const PairShape& shape) const {
    return admitted->data()[i * shape.n_keys + j];
  }
  AdmittedKeys keys_of(Index, const PairShape& shape) const { return {0, shape.n_keys, -1, false}; }
  bool symmetric(const PairShape&) const;  ///< O(n^2)
  void check(const PairShape& shape) const;

  bool operator==(const Mask&) const = default;
};

}  // namespace likewise
