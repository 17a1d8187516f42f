// Powers of eigenvalues that need not be whole.
#pragma once

#include <cmath>
#include <string>

#include <likewise/error.hpp>
#include <likewise/types.hpp>

namespace likewise {

/// mu^s, s the `argument`. Rounding below 0 counts as 0; an eigenvalue that is truly negative has whole powers only.
inline Vector<double> eigenvalue_powers(const Vector<double>& values, double s, const char* argument) {
  const bool whole = s == std::floor(s);
  require(whole || values.minCoeff() > -1e-6, argument,
          "an integer with this kernel and metric (an eigenvalue is negative: "
              + std::to_string(values.minCoeff()) + ")",
          s);
  return values.unaryExpr([whole, s](double mu) {
    if (s == 0) return 1.0;
    if (std::abs(mu) < 1e-12) return s > 0 ? std::pow(std::abs(mu), s) : 0.0;
    return whole ? std::pow(mu, s) : std::pow(std::max(mu, 0.0), s);
  });
}

}  // namespace likewise
