// The vector-Jacobian product of an operator: what a loss of Y = P V asks of everything that makes P.
#pragma once

#include <map>
#include <optional>
#include <string>

#include <likewise/operator.hpp>

namespace likewise {

/// dL/d(...) of a loss L with dL/dY given. What has no derivative is empty: points under a metric without one
/// (Precomputed, the user's own), keys and weights of a cross-operator whose fitted r depends on them.
template <class T> struct OperatorGradient {
  Matrix<T> values;                              ///< (n_keys, c)
  Matrix<T> queries;                             ///< (n_queries, d); of a self-operator empty: see points
  Matrix<T> keys;                                ///< (n_keys, d); of a self-operator empty: see points
  Matrix<T> points;                              ///< (n, d), of a self-operator: as queries and as keys
  Vector<double> log_key_weights;                ///< (n_keys,)
  std::optional<double> bandwidth;               ///< of a kernel with one number as its length
  std::optional<double> temperature;             ///< of Exponential
  std::map<std::string, Matrix<double>> metric;  ///< by the name of the metric's parameter
};

/// dL/dY is (n_queries, c), V (n_keys, c). Y = P V is computed unless given. Membership in a support, points' own scales
/// (self_tuning, perplexity) and a bandwidth's rule are held constant; on a cross-operator so is the fitted r of Symmetric,
/// Density and Bistochastic. Five products of n_queries x n_keys, O(n (d + c)) memory; sparse operators O(edges (d + c)).
/// Bistochastic solves (I + P) u = b by conjugate gradients (the implicit gradient of Sinkhorn). Results do not depend on
/// the number of threads.
template <class T>
OperatorGradient<T> vjp(const PropagationOperator<T>& P, const Values<T>& grad_Y, const Values<T>& V,
                        const std::optional<Values<T>>& Y = {}, const Execution& run = {});

}  // namespace likewise
