// An operator between the same points whose entries the caller has made.
#pragma once

#include <likewise/operator.hpp>

namespace likewise {

/// P with `entries` in place of l_i K_ij r_j; scalings, sums and law are still P's.
template <class T> SelfOperator<T> with_entries(const SelfOperator<T>& P, SparseMatrix<T>&& entries);

}  // namespace likewise
