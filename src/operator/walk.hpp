// The random walk behind an operator.
#pragma once

#include <likewise/operator.hpp>

namespace likewise {

/// P's kernel and key weights with each row divided by its own mass, in a storage of O(n) memory beside what P has.
template <class T> SelfOperator<T> walk_of(const SelfOperator<T>& P, const Execution& run);

}  // namespace likewise
