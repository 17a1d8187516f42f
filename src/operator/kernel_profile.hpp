// A kernel as the fused loop applies it.
#pragma once

#include <likewise/kernel.hpp>

#include "engine/terms/profile.hpp"

namespace likewise {

/// The kernel of that scale for inputs that are numbers of T; `input` is left for the caller to fill.
template <class T> engine::Profile profile_of(const Kernel& kernel, double scale);

/// A bound on |d log phi / d input| where phi is not negligible; of compact kernels, which fall to 0 at their edge, on
/// |d phi / d input|. Infinite where there is none.
double slope_of(const Kernel& kernel, double scale);

}  // namespace likewise
