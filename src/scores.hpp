// How good predictions are; higher is better, 1 is the best.
#pragma once

#include <vector>

#include <likewise/types.hpp>

namespace likewise {

/// The column with the largest value of each row, ties to the lowest.
template <class T> std::vector<Index> largest_columns(const Matrix<T>& values);

/// The share of the rows' weights (n,) whose class has the largest value.
template <class T>
double accuracy(const std::vector<Index>& labels, const Matrix<T>& values, const Vector<double>& weights);

/// 1 - squared error / variance under weights (n,), the mean over targets. A target that does not vary: 1 where it is met,
/// else 0, as scikit-learn's.
template <class T>
double r_squared(const Matrix<T>& targets, const Matrix<T>& predicted, const Vector<double>& weights);

}  // namespace likewise
