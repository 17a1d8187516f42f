#pragma once

#include <algorithm>
#include <string>

#include <likewise/support/traits.hpp>

namespace likewise {

/// Query i, at position p, speaks to keys p - before .. p + after (a sliding window); p is i ("upper_left") or
/// i + n_keys - n_queries ("lower_right"). Window(n, 0) is Causal among the last n + 1.
struct Window {
  Index before = 0;
  Index after = 0;
  std::string align = "upper_left";

  static constexpr bool all_positional = true;

  static constexpr const char* name = "Window";
  static constexpr const char* formula =
      "keys from `before` positions before the query's own to `after` behind it";
  static constexpr auto fields() {
    return std::tuple{Field{"before", &Window::before}, Field{"after", &Window::after},
                      Field{"align", &Window::align}};
  }

  static constexpr bool only_self = false;
  bool admits(Index i, Index j, const PairShape& shape) const {
    const AdmittedKeys keys = keys_of(i, shape);
    return keys.begin <= j && j < keys.end;
  }
  AdmittedKeys keys_of(Index i, const PairShape& shape) const {
    const Index p = i + (align == "lower_right" ? shape.n_keys - shape.n_queries : 0), n = shape.n_keys;
    return {std::clamp<Index>(p - std::min(before, p), 0, n),
            std::clamp<Index>(p < n - after ? p + after + 1 : n, 0, n)};
  }
  bool symmetric(const PairShape& shape) const {
    return shape.n_queries == shape.n_keys && (before == after || shape.n_keys <= 1);
  }
  void check(const PairShape&) const {}

  bool operator==(const Window&) const = default;
};

}  // namespace likewise
