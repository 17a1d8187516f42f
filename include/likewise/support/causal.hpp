#pragma once

#include <algorithm>
#include <string>

#include <likewise/support/traits.hpp>

namespace likewise {

/// Query i speaks to keys 0..i ("upper_left", as PyTorch's is_causal) or 0..i + n_keys - n_queries
/// ("lower_right").
struct Causal {
  std::string align = "upper_left";

  static constexpr const char* name = "Causal";
  static constexpr const char* formula = "keys up to the query's own position";
  static constexpr auto fields() { return std::tuple{Field{"align", &Causal::align}}; }

  static constexpr bool only_self = false;
  bool admits(Index i, Index j, const PairShape& shape) const { return j < end_of(i, shape); }
  AdmittedKeys keys_of(Index i, const PairShape& shape) const { return {0, end_of(i, shape)}; }
  bool symmetric(const PairShape& shape) const { return shape.n_keys <= 1; }
  void check(const PairShape&) const {}

  bool operator==(const Causal&) const = default;

 private:
  Index end_of(Index i, const PairShape& shape) const {
    const Index end = i + 1 + (align == "lower_right" ? shape.n_keys - shape.n_queries : 0);
    return std::clamp<Index>(end, 0, shape.n_keys);
  }
};

}  // namespace likewise
