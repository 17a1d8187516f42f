// Values of points replaced by what the mechanism makes of them.
#pragma once

#include <likewise/mechanism.hpp>

namespace likewise {

/// P Y for points X (n, d) with values Y (n, c). The cost of one product.
template <class T>
Matrix<T> smooth(const Mechanism& mechanism, const Points<T>& X, const Values<T>& Y, const Execution& run);

}  // namespace likewise
