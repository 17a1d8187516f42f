// Partial results that merge: a block of keys at a time, so that tiles, threads, streams of keys that never
// fit in memory and machines all combine the same way.
#pragma once

#include <likewise/mechanism.hpp>

namespace likewise {

/// What a block of keys adds to queries: the reference exponent of each row, its mass and its weighted sum in
/// units of exp(log_reference). Rows that nobody spoke to have log_reference -inf, mass 0, sum 0.
template <class T> struct Partial {
  Vector<double> log_reference;  ///< (n_queries,)
  Vector<double> mass;           ///< (n_queries,)
  Matrix<T> sum;                 ///< (n_queries, n_columns)
};

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

/// The part of both blocks together. Associative up to rounding. A default-constructed Partial is the neutral
/// element: merged with it, a part is what it was.
template <class T> Partial<T> merge(const Partial<T>& a, const Partial<T>& b);

/// l_i times the sums: what the operator over all keys would have given.
template <class T> Matrix<T> finish(const Mechanism& mechanism, const Partial<T>& part);

}  // namespace likewise
