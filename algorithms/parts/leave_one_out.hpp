// Training points predicted from the others: predictions, scores, and the bandwidth with the least error.
#pragma once

#include <likewise/select_bandwidth.hpp>

#include "training_data.hpp"

namespace likewise {

/// Training data to be left out of: targets (n, c), log sample weights (n,), and for each point a number that is equal for
/// copies (-1 for weight 0).
template <class T> struct TrainingData {
  const Points<T>& points;
  const Values<T>& targets;
  const Vector<double>& log_weights;
  const std::vector<Index>& point_of;
};

/// Each point predicted by weighted means (degree 0) or planes (degree 1) from the others and from what is left of its own
/// weight w without min(1, w): (n, c). A row left empty has its nearest key's value. O(n^2 (d + c)) time, O(n^2 d^2) at
/// degree 1.
template <class T>
Matrix<double> leave_one_out(const Mechanism& mechanism, const TrainingData<T>& data, int degree,
                             const Execution& run);

/// The mechanism with the bandwidth of least leave-one-out loss; at degree 1 of local planes' squared error.
template <class T>
ResolvedMechanism find_loo_bandwidth(Mechanism m, const TrainingData<T>& data, LooLoss loss, int degree,
                                     const Execution& run);

/// A score of predictions F of targets Y, both (n, n_targets), under weights (n,); higher is better.
using Score = double (*)(const Matrix<double>& Y, const Matrix<double>& F, const Vector<double>& weights);

/// The score of the leave-one-out predictions of all training points; NaN where there is but one.
template <class T>
double leave_one_out_score(const Mechanism& mechanism, const TrainingData<T>& data, int degree, Score score,
                           const Execution& run);

}  // namespace likewise
