// The exp-sum reducer: for each query, mass and weighted sum of exp(log K_ij + bias_j) over keys, in units of
// a reference exponent, so that nothing overflows and far points lose nothing.
#pragma once

#include <likewise/execution.hpp>
#include <likewise/partial_sums.hpp>

#include "engine/log_weights.hpp"

namespace likewise::engine {

/// V is (n_keys, c), c = 0 for the mass alone. O(n_queries n_keys (d + c)) time, one tile of memory a thread.
/// Key blocks are merged in an order that the shape fixes.
template <class T>
Partial<T> exp_sum(const LogWeights<T>& K, const Vector<double>& key_bias, const Values<T>& V,
                   const Execution& run);

/// The same with each row's K.row_shift() left out of its reference: of far queries a logarithm beside it has no digits.
template <class T>
Partial<T> exp_sum_less_shift(const LogWeights<T>& K, const Vector<double>& key_bias, const Values<T>& V,
                              const Execution& run);

/// The same of the transposed kernel: keys ask queries. V is (n_queries, c). The bias of a query has its K.row_shift() in it.
template <class T>
Partial<T> exp_sum_transposed(const LogWeights<T>& K, const Vector<double>& query_bias, const Values<T>& V,
                              const Execution& run);

/// log of each row's whole mass; -inf where there is none.
template <class T> Vector<double> log_mass(const Partial<T>& part);

}  // namespace likewise::engine
