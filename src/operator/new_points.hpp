// New points in an embedding: the random walk's step from each of them to the keys.
#pragma once

#include <likewise/operator.hpp>

namespace likewise {

/// Rows of P's walk at new points X. A new point is none of the keys, so LeaveOneOut does not concern it, and a row
/// without mass takes its nearest key. Under Symmetric() the walk is D_x^-1 K, which extends what has been divided by
/// the roots of its measure: no root of a far point's tiny mass is formed, so far points stay in the log domain.
template <class T>
CrossOperator<T> at_new_points(const SelfOperator<T>& P, const Points<T>& X, const Execution& run);

}  // namespace likewise
