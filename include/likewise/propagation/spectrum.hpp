#pragma once

#include <string>

#include <likewise/types.hpp>
#include <likewise/value.hpp>

namespace likewise {

/// The n largest eigenpairs, of a walk the constant one among them, each vector times eigenvalue^power: clusters and
/// embeddings (power 0), diffusion maps (power t). tol, max_iter and solver are those of spectrum.hpp.
struct Spectrum {
  Index n = 6;
  double power = 0;
  double tol = 1e-9;
  int max_iter = 1000;
  std::string solver = "auto";

  static constexpr bool all_positional = true;  // Spectrum(n, power)
  static constexpr const char* name = "Spectrum";
  static constexpr const char* formula = "P v = w v for the n largest w; v times w^power";
  static constexpr auto fields() {
    return std::tuple{Field{"n", &Spectrum::n}, Field{"power", &Spectrum::power},
                      Field{"tol", &Spectrum::tol}, Field{"max_iter", &Spectrum::max_iter},
                      Field{"solver", &Spectrum::solver}};
  }
  bool operator==(const Spectrum&) const = default;
};

}  // namespace likewise
