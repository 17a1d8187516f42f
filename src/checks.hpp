// Checks of arrays that every entry point shares.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include <likewise/error.hpp>
#include <likewise/types.hpp>

namespace likewise {

/// A non-empty matrix of finite numbers, else InvalidArgument naming `argument` and the first offending
/// entry.
template <class T> void check_points(const char* argument, const Points<T>& X) {
  require(X.rows() > 0 && X.cols() > 0, argument, "an array with at least one row and one column",
          "shape " + std::to_string(X.rows()) + " x " + std::to_string(X.cols()));
  // 0 times a number is 0 exactly where it is finite; a vector at a time, which allFinite() is not.
  if ((X.array() * T(0)).sum() == T(0)) return;
  for (Index i = 0; i < X.rows(); ++i)
    for (Index j = 0; j < X.cols(); ++j)
      require(std::isfinite(X(i, j)), argument, "finite (no NaN, no infinity)",
              std::to_string(X(i, j)) + " at row " + std::to_string(i) + ", column " + std::to_string(j));
}

/// One log weight for each key, not NaN and not +inf, or none at all. Returns n_keys of them.
inline Vector<double> checked_log_weights(const Vector<double>& log_weights, Index n_keys) {
  if (log_weights.size() == 0) return Vector<double>::Zero(n_keys);
  require(log_weights.size() == n_keys, "log_key_weights",
          "of length " + std::to_string(n_keys) + " (one for each key)",
          "length " + std::to_string(log_weights.size()));
  // All at once: the words of a refusal, made for each key, would take longer than what is done with the keys.
  const auto fit = log_weights.array() < std::numeric_limits<double>::infinity();
  if (fit.all()) return log_weights;
  const Index j = std::find(fit.begin(), fit.end(), false) - fit.begin();
  refuse("log_key_weights", "below infinity and not NaN",
         std::to_string(log_weights(j)) + " at key " + std::to_string(j));
}

}  // namespace likewise
