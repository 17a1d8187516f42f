// Partial results that merge: a block of keys at a time, so that tiles, threads, streams of keys that never
// fit in memory and machines all combine the same way.
#pragma once

#include <likewise/types.hpp>

namespace likewise {

/// What a block of keys adds to queries: the reference exponent of each row, its mass and its weighted sum in
/// units of exp(log_reference). Rows that nobody spoke to have log_reference -inf, mass 0, sum 0.
template <class T> struct Partial {
  Vector<double> log_reference;  ///< (n_queries,)
  Vector<double> mass;           ///< (n_queries,)
  Matrix<T> sum;                 ///< (n_queries, n_columns)
};

/// The part of both blocks together. Associative up to rounding. A default-constructed Partial is the neutral
/// element: merged with it, a part is what it was.
template <class T> Partial<T> merge(const Partial<T>& a, const Partial<T>& b);

}  // namespace likewise
