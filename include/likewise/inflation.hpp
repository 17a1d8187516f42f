// Inflation: the entries of an operator to a power, each row divided by its sum again.
#pragma once

#include <likewise/linear_map.hpp>

namespace likewise {

/// All entries of a map, (rows, cols): its products with the columns of the identity where it stores none.
template <class T> Matrix<T> dense(const LinearMap<T>& P, const Execution& run = {});

/// P_ij^r / sum_k P_ik^r, entries >= 0, r > 0: above 1 what is strong grows stronger (van Dongen 2000; the paper's
/// strengthening). Stored as P stores its entries, dense where it stores none. A row of zeros stays one.
template <class T> LinearMap<T> inflate(const LinearMap<T>& P, double r, const Execution& run = {});

}  // namespace likewise
