// An operator of the same kernel between the same points, with scalings of the caller's.
#pragma once

#include <likewise/operator.hpp>

namespace likewise {

/// P_ij = l_i K_ij r_j with P's kernel, points and storage: what P found, edges above all, is not looked for again.
template <class T>
SelfOperator<T> rescaled(const SelfOperator<T>& P, const Vector<double>& log_left,
                         const Vector<double>& log_right, const Execution& run);

}  // namespace likewise
