// The part that a block of keys has in an operator's products, and the product of all parts together.
#pragma once

#include <likewise/mechanism_value.hpp>
#include <likewise/partial_sums.hpp>

namespace likewise {

/// The part of keys Z with values V in queries X. Needs a bandwidth that is a number, all pairs as support
/// and a normalization that looks at one row (Unnormalized, RowStochastic). O(n_queries n_keys d) time, O(n)
/// memory.
template <class T>
Partial<T> partial(const Mechanism& mechanism, const Points<T>& X, const Points<T>& Z, const Values<T>& V,
                   const Vector<double>& log_key_weights = {}, const Execution& run = {});
/// The same for any float or double matrices.
template <Unnamed S = void, class D, class E, class F>
Partial<ScalarOf<D, E, F>> partial(const Mechanism& mechanism, const Eigen::MatrixBase<D>& X,
                                   const Eigen::MatrixBase<E>& Z, const Eigen::MatrixBase<F>& V,
                                   const Vector<double>& log_key_weights = {}, const Execution& run = {}) {
  using Given = Points<ScalarOf<D, E, F>>;
  return partial<ScalarOf<D, E, F>>(mechanism, Given(X.derived()), Given(Z.derived()), Given(V.derived()),
                                    log_key_weights, run);
}

/// l_i times the sums: what the operator over all keys would have given.
template <class T> Matrix<T> finish(const Mechanism& mechanism, const Partial<T>& part);

}  // namespace likewise
