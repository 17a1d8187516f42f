// What methods with a target do to their training data before any mechanism: checks, weights, copies,
// classes.
#pragma once

#include <vector>

#include <likewise/mechanism.hpp>

namespace likewise {

/// Throws unless X is a finite, non-empty matrix and Y is finite with a row for each point and at least one
/// column.
template <class T> void check_training_data(const Points<T>& X, const Values<T>& Y);

/// log of weights >= 0, one for each of n points, not all 0; zeros where none are given.
Vector<double> log_sample_weights(const Vector<double>& sample_weight, Index n);

/// (n, n_classes) with a 1 in the column of each label. Throws for a label outside [0, n_classes).
template <class T> Matrix<T> one_hot(const std::vector<Index>& labels, Index n_classes);

/// The class with the largest value of each row, ties to the lowest.
template <class T> std::vector<Index> largest_columns(const Matrix<T>& values);

/// Training points without copies and without weight 0: a point that came twice has the sum of the weights
/// and the weighted mean of the targets, which leave-one-out losses cannot tell from the two.
template <class T> struct DistinctPoints {
  Matrix<T> points;            ///< (m, d); of precomputed costs rows and columns, (m, m)
  Matrix<T> targets;           ///< (m, n_targets)
  Vector<double> log_weights;  ///< (m,)
  std::vector<Index> row_of;   ///< (n,) the row of each training point; -1 for weight 0
};

/// O(n log n d) time.
template <class T>
DistinctPoints<T> distinct_points(const Metric& metric, const Points<T>& X, const Values<T>& Y,
                                  const Vector<double>& log_weights);

/// The support of training points among each other, each without itself.
Support left_out(const Support& support, Index n_points);

/// The kernel with `bandwidth` where it leaves its own open. A number in the kernel wins over a rule; two
/// different numbers are refused. Indicator() takes a number always, a rule only on all pairs.
Kernel filled_kernel(const Kernel& kernel, const Bandwidth& bandwidth, const Support& support);

/// The mechanism with its bandwidth found for these keys, and what was found.
struct ResolvedMechanism {
  Mechanism mechanism;
  SelectedBandwidth bandwidth;
};
template <class T>
ResolvedMechanism resolve_bandwidth(const Mechanism& mechanism, const Points<T>& Z,
                                    const Vector<double>& log_weights, const Execution& run);

}  // namespace likewise
