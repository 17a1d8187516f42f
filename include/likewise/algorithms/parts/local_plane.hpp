// What bounds a weighted least-squares plane.
#pragma once

#include <likewise/types.hpp>

namespace likewise {

/// Relative ridge of the local normal equations, and the width beyond which degree 0 is used.
constexpr double local_linear_ridge = 1e-10;
constexpr Index local_linear_max_features = 50;

}  // namespace likewise
