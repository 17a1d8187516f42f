// One head over one sequence, forward and backward: a tile where the sequence is short, else an operator.
#pragma once

#include <optional>
#include <utility>

#include <likewise/nn/attention_layer.hpp>

namespace likewise::nn {

template <class T> using StridedRows = Eigen::Map<const Matrix<T>, 0, Eigen::OuterStride<>>;
template <class T> using StridedSums = Eigen::Map<Matrix<T>, 0, Eigen::OuterStride<>>;

/// Who may attend to whom in one sequence; what is not given admits everybody.
struct Admitted {
  bool is_causal = false;
  const bool* mask = nullptr;     ///< (n_queries, n_keys)
  const bool* padding = nullptr;  ///< (n_keys,)

  bool everybody() const { return !is_causal && !mask && !padding; }
  bool operator()(Index i, Index j, Index n_keys) const {
    return (!is_causal || j <= i) && (!mask || mask[i * n_keys + j]) && (!padding || padding[j]);
  }
  /// Some query may attend to key j.
  bool heard(Index j, Index n_queries, Index n_keys) const {
    for (Index i = is_causal ? j : 0; i < n_queries; ++i)
      if ((*this)(i, j, n_keys)) return true;
    return false;
  }
};

/// y_i = sum_j p_ij v_j, p_i = softmax over the admitted keys of -c(q_i, k_j) / t; c is -<q, k> or |q - k|^2.
template <class T> struct Head {
  StridedRows<T> q, k, v;
  Score score;
  double temperature;
  Admitted admitted;
};

/// The rows of one sequence and the columns of one head in a matrix of all: where results go.
template <class T> struct Part {
  Matrix<T>& whole;
  Index row, rows, column, cols;

  StridedSums<T> view() const {
    return {whole.data() + row * whole.cols() + column, rows, cols, Eigen::OuterStride<>(whole.cols())};
  }
  /// The only head of the only sequence is all there is: its result is handed over, not copied.
  void take(Matrix<T>&& found) const {
    if (found.rows() == whole.rows() && found.cols() == whole.cols())
      whole = std::move(found);
    else
      view() = found;
  }
};

/// Writes y; the trace is what `pull_back` needs.
template <class T>
void attend(const Head<T>& head, const Part<T>& y, HeadTrace<T>& trace, const Execution& run);

/// The mechanism with the head's points: P, n_queries x n_keys.
template <class T> PropagationOperator<T> operator_of(const Head<T>& head, const Execution& run);

/// Where derivatives go; q and k are one where they are one in the head, and get the sum.
template <class T> struct HeadGradient {
  Part<T> q, k, v;
  double log_temperature = 0;
};

/// Writes the gradient. Five products of n_queries x n_keys, weights recomputed.
template <class T>
void pull_back(const Head<T>& head, const HeadTrace<T>& trace, const StridedRows<T>& y,
               const StridedRows<T>& grad_y, HeadGradient<T>& gradient, const Execution& run);

}  // namespace likewise::nn
