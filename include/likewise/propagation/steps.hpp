#pragma once

#include <optional>
#include <string>

#include <likewise/types.hpp>
#include <likewise/value.hpp>

namespace likewise {

/// One step after the other: t of them, or without t until each row stands still. What moves: "values", F <- P F, a random
/// walk that smooths; "points", x <- P(x, Z) V for each point x by itself, where the keys Z stay (mean shift, Hopfield
/// memories). A row stands still when a step moves it at most tol times the longest row of V; where points move under a
/// kernel with a bandwidth, times that. max_iter and tol belong to steps without t.
struct Steps {
  std::optional<Index> t = {};
  std::string moving = "values";
  double tol = 1e-4;
  int max_iter = 300;

  static constexpr const char* name = "Steps";
  static constexpr const char* formula = "F <- P F, of points x <- P(x, Z) V; t times, or until still";
  static constexpr auto fields() {
    return std::tuple{Field{"t", &Steps::t}, Field{"moving", &Steps::moving}, Field{"tol", &Steps::tol},
                      Field{"max_iter", &Steps::max_iter}};
  }
  bool operator==(const Steps&) const = default;
};

}  // namespace likewise
