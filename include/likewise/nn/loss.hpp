// What training makes small.
#pragma once

#include <vector>

#include <likewise/class_labels.hpp>
#include <likewise/types.hpp>

namespace likewise::nn {

template <class T> struct Loss {
  double value = 0;
  Matrix<T> gradient;  ///< of the predictions
};

/// sum_i w_i (log sum_c exp(z_ic) - z_i,label(i)) / sum_i w_i of logits z (n, classes); no `weights`: all 1.
/// Sums and the gradient (softmax(z_i) - onehot) w_i / sum w in float64. O(n classes). Throws InvalidArgument
/// naming labels outside [0, classes), weights that are negative or sum to 0.
template <class T>
Loss<T> cross_entropy(const Points<T>& logits, const std::vector<Index>& labels,
                      const Vector<double>& weights = {});

/// sum_ic w_i (p_ic - t_ic)^2 / (columns sum_i w_i): the mean over entries, as torch.nn.MSELoss. O(entries).
/// Throws InvalidArgument where shapes differ, and for weights as above.
template <class T>
Loss<T> squared_error(const Points<T>& predictions, const Points<T>& targets,
                      const Vector<double>& weights = {});

/// The same for any float or double matrices.
template <Unnamed S = void, class D>
Loss<ScalarOf<D>> cross_entropy(const Eigen::MatrixBase<D>& logits, const ClassLabels& labels,
                                const Vector<double>& weights = {}) {
  return cross_entropy<ScalarOf<D>>(Points<ScalarOf<D>>(logits.derived()), labels, weights);
}
template <Unnamed S = void, class D, class E>
Loss<ScalarOf<D, E>> squared_error(const Eigen::MatrixBase<D>& predictions,
                                   const Eigen::MatrixBase<E>& targets, const Vector<double>& weights = {}) {
  using Given = Points<ScalarOf<D, E>>;
  return squared_error<ScalarOf<D, E>>(Given(predictions.derived()), Given(targets.derived()), weights);
}

}  // namespace likewise::nn
