// What several test files need: seeded points, an instruction set of choice, and the message of a refusal.
#pragma once

#include <functional>
#include <random>
#include <string>

#include <likewise/error.hpp>
#include <likewise/simd_target.hpp>
#include <likewise/types.hpp>

namespace likewise {

/// Independent standard normal entries, the same for the same seed.
inline Matrix<double> normal_matrix(Index rows, Index cols, unsigned seed) {
  std::mt19937 source(seed);
  std::normal_distribution<double> normal;
  return Matrix<double>::NullaryExpr(rows, cols, [&] { return normal(source); });
}

/// Small integers: many equal distances and copies.
inline Matrix<double> lattice(Index rows, Index cols, unsigned seed) {
  return (1.2 * normal_matrix(rows, cols, seed)).array().round();
}

/// Runs on one instruction set until the end of the scope.
struct OnTarget {
  explicit OnTarget(const std::string& name) { force_simd_target(name); }
  ~OnTarget() { force_simd_target(""); }
};

/// The text of the InvalidArgument that the call throws.
inline std::string refusal(const std::function<void()>& call) {
  try {
    call();
  } catch (const InvalidArgument& error) {
    return error.what();
  }
  return "no error";
}

inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace likewise
