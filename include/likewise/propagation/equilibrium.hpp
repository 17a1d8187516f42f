#pragma once

#include <optional>
#include <string>

#include <likewise/value.hpp>

namespace likewise {

/// Where steps come to rest. Without alpha some rows are clamped to their values (label propagation); with alpha in (0, 1) all
/// are held softly (label spreading). tol is a relative residual; solvers are those of equilibrium.hpp.
struct Equilibrium {
  std::optional<double> alpha = {};
  double tol = 1e-8;
  int max_iter = 1000;
  std::string solver = "auto";

  static constexpr const char* name = "Equilibrium";
  static constexpr const char* formula =
      "F = P F beside clamped rows; with alpha F = alpha P F + (1 - alpha) V";
  static constexpr auto fields() {
    return std::tuple{Field{"alpha", &Equilibrium::alpha}, Field{"tol", &Equilibrium::tol},
                      Field{"max_iter", &Equilibrium::max_iter}, Field{"solver", &Equilibrium::solver}};
  }
  bool operator==(const Equilibrium&) const = default;
};

}  // namespace likewise
