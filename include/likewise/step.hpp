// One step y = P v and its derivative, for who takes thousands of them a second: heads of layers, stacks of matrices.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>

#include <likewise/operator.hpp>

namespace likewise {

/// Rows that lie in a larger matrix: what is read, and what is written.
template <class T> using StridedRows = Eigen::Map<const Matrix<T>, 0, Eigen::OuterStride<>>;
template <class T> using StridedSums = Eigen::Map<Matrix<T>, 0, Eigen::OuterStride<>>;

/// Some rows and columns of a matrix: where a result goes.
template <class T> struct Part {
  Matrix<T>& whole;
  Index row, rows, column, cols;

  StridedSums<T> view() const {
    return {whole.data() + row * whole.cols() + column, rows, cols, Eigen::OuterStride<>(whole.cols())};
  }
  /// A result that is the whole matrix is handed over, not copied.
  void take(Matrix<T>&& found) const {
    if (found.rows() == whole.rows() && found.cols() == whole.cols())
      whole = std::move(found);
    else
      view() = found;
  }
};

/// Queries q (n_queries, d), keys k (n_keys, d), values v (n_keys, c), finite.
template <class T> struct StepInputs {
  StridedRows<T> q, k, v;
  const Vector<double>* log_key_weights = nullptr;  ///< (n_keys,), -inf for padding; nullptr: 0
  bool one_set = false;  ///< q and k are one memory: derivatives by both are summed
};

/// What a step leaves for its derivative.
template <class T> struct StepTrace {
  Vector<double> log_sums;  ///< of few pairs: log sum_j K_ij; -inf: row i speaks to nobody
  std::optional<PropagationOperator<T>> P = {};  ///< of many, streamed
};

/// Where derivatives go; q and k are one place where the inputs are one set.
template <class T> struct StepGradient {
  Part<T> q, k, v;
  double log_temperature = 0;                         ///< of an Exponential's temperature
  std::map<std::string, Matrix<double>> metric = {};  ///< of the metric's own parameters, by name
};

/// Writes y (n_queries, c). Up to 64 x 64 pairs of a softmax of dot products or squared distances are one tile: making an
/// operator would take longer than the step. All others are the mechanism's operator.
template <class T>
void step(const Mechanism& mechanism, const StepInputs<T>& inputs, const Part<T>& y, StepTrace<T>& trace,
          const Execution& run);

/// Writes the gradient of a loss whose derivative by y is grad_y. Five products of n_queries x n_keys, weights are found again.
template <class T>
void step_vjp(const Mechanism& mechanism, const StepInputs<T>& inputs, const StepTrace<T>& trace,
              const StridedRows<T>& y, const StridedRows<T>& grad_y, StepGradient<T>& gradient,
              const Execution& run);

/// The operator P whose step it is, n_queries x n_keys.
template <class T>
PropagationOperator<T> step_operator(const Mechanism& mechanism, const StepInputs<T>& inputs,
                                     const Execution& run);

}  // namespace likewise
