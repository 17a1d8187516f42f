#pragma once

#include <likewise/value.hpp>

namespace likewise {

/// All keys at most `radius` away, in the unit that kneighbors reports (a length; 1 - cos for Cosine). Infinite: all keys.
struct Radius {
  double radius = 1;

  static constexpr const char* name = "Radius";
  static constexpr const char* formula = "keys with d <= radius";
  static constexpr auto fields() { return std::tuple{Field{"radius", &Radius::radius}}; }
  bool operator==(const Radius&) const = default;
};

}  // namespace likewise
