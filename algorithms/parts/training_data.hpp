// What methods with a target do to their training data before any mechanism: checks, weights, classes.
#pragma once

#include <vector>

#include <likewise/mechanism.hpp>

namespace likewise {

/// Throws unless X is a finite, non-empty matrix and Y is finite with a row for each point and at least one
/// column.
template <class T, class S> void check_training_data(const Points<T>& X, const Points<S>& Y);
/// Throws unless there is a class in [0, n_classes) for each of n points.
void check_labels(const std::vector<Index>& labels, Index n, Index n_classes);

/// log of weights >= 0, one for each of n points, not all 0; zeros where none are given.
Vector<double> log_sample_weights(const Vector<double>& sample_weight, Index n);

/// (n, n_classes) with a 1 in the column of each label. Throws for a label outside [0, n_classes).
template <class T> Matrix<T> one_hot(const std::vector<Index>& labels, Index n_classes);

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
