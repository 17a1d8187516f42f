// The place that lifts are taken from, so that an offset of all points costs no digits.
#pragma once

#include <likewise/types.hpp>

namespace likewise::engine {

/// The median of some of the points, coordinate by coordinate: no far point moves it. Only points of a log weight above
/// -inf count, where weights are given and some does. O(d).
template <class T> Vector<double> center_of(const Points<T>& points, const Vector<double>& log_weights = {});

}  // namespace likewise::engine
