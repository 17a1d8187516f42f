#pragma once

#include <algorithm>
#include <cstdlib>

#include <likewise/error.hpp>
#include <likewise/support/traits.hpp>

namespace likewise {

/// Points whose places differ by at most `width`.
struct Band {
  int width = 1;

  static constexpr const char* name = "Band";
  static constexpr const char* formula = "|i - j| <= width";
  static constexpr auto fields() { return std::tuple{Field{"width", &Band::width}}; }

  static constexpr bool only_self = false;
  bool admits(Index i, Index j, const PairShape&) const { return std::abs(i - j) <= width; }
  AdmittedKeys keys_of(Index i, const PairShape& shape) const {
    return {std::clamp<Index>(i - width, 0, shape.n_keys), std::clamp<Index>(i + width + 1, 0, shape.n_keys)};
  }
  bool symmetric(const PairShape&) const { return true; }
  void check(const PairShape&) const { require(width >= 0, "width", "an int >= 0", width); }

  bool operator==(const Band&) const = default;
};

}  // namespace likewise
