// Many operators at once, such as the heads of attention: spread over threads where they are enough for them, else one after
// the other, each with all threads. Results are those of one at a time.
#pragma once

#include <vector>

#include <likewise/gradient.hpp>

namespace likewise {

/// Somebody's matrix, one for each operator.
template <class T> using EachMatrix = std::vector<Eigen::Map<const Matrix<T>>>;

/// m.cross_operator(X[i], Z[i]) for all i.
template <class T>
std::vector<CrossOperator<T>> cross_operators(const Mechanism& m, const EachMatrix<T>& X,
                                              const EachMatrix<T>& Z, const OperatorOptions& options = {},
                                              const Execution& run = {});
/// P[i] V[i].
template <class T>
std::vector<Matrix<T>> apply_each(const std::vector<CrossOperator<T>>& P, const EachMatrix<T>& V,
                                  const Execution& run = {});
/// vjp(P[i], grad_Y[i], V[i], Y[i]).
template <class T>
std::vector<OperatorGradient<T>> vjp_each(const std::vector<CrossOperator<T>>& P, const EachMatrix<T>& grad_Y,
                                          const EachMatrix<T>& V, const EachMatrix<T>& Y,
                                          const Execution& run = {});

}  // namespace likewise
