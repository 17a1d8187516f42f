#pragma once

#include <string>

#include <likewise/value.hpp>

namespace likewise {

/// Query i speaks to keys 0..i ("upper_left", as PyTorch's is_causal) or 0..i + n_keys - n_queries
/// ("lower_right").
struct Causal {
  std::string align = "upper_left";

  static constexpr const char* name = "Causal";
  static constexpr const char* formula = "keys up to the query's own position";
  static constexpr auto fields() { return std::tuple{Field{"align", &Causal::align}}; }
  bool operator==(const Causal&) const = default;
};

}  // namespace likewise
