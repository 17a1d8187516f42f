// Training points predicted from the others: predictions, scores, and the bandwidth with the least error.
#pragma once

#include <likewise/select_bandwidth.hpp>

#include "training_data.hpp"

namespace likewise {

/// Each distinct point predicted from the others by weighted means (degree 0) or planes (degree 1), (m,
/// n_targets). A row left empty has its nearest key's value. O(m^2 (d + n_targets)) time, O(m^2 d^2) at
/// degree 1.
template <class T>
Matrix<double> leave_one_out(const Mechanism& mechanism, const DistinctPoints<T>& data, int degree,
                             const Execution& run);

/// The mechanism with the bandwidth of least leave-one-out loss; at degree 1 of local planes' squared error.
template <class T>
ResolvedMechanism find_loo_bandwidth(Mechanism m, const DistinctPoints<T>& data, LooLoss loss, int degree,
                                     const Execution& run);

/// A score of predictions F of targets Y, both (n, n_targets), under weights (n,); higher is better.
using Score = double (*)(const Matrix<double>& Y, const Matrix<double>& F, const Vector<double>& weights);
/// 1 - sum w (y - f)^2 / sum w (y - mean)^2, mean over targets; of a constant target 1 if it is met, else 0.
double r_squared(const Matrix<double>& Y, const Matrix<double>& F, const Vector<double>& weights);
/// The weighted share of rows in which both have their largest value in the same column.
double accuracy(const Matrix<double>& Y, const Matrix<double>& F, const Vector<double>& weights);

/// The score of the leave-one-out predictions of all training points; NaN where all are copies of one.
template <class T>
double leave_one_out_score(const Mechanism& mechanism, const DistinctPoints<T>& data, const Values<T>& Y,
                           const Vector<double>& log_weights, int degree, Score score, const Execution& run);

}  // namespace likewise
