// What samples say: which of it is refused, some of them, and the loss of what a model says instead.
#pragma once

#include <span>
#include <string>

#include <likewise/error.hpp>
#include <likewise/nn/loss.hpp>
#include <likewise/nn/training.hpp>

#include "scores.hpp"

namespace likewise::nn {

/// Weights of the loss, or none: of n `samples` ("rows", "sequences").
inline void check_weights(const Vector<double>& weights, Index n, const char* samples,
                          const std::string& name) {
  if (weights.size() == 0) return;
  require(weights.size() == n, name, "one number for each of " + std::to_string(n) + " " + samples,
          weights.size());
  require(weights.allFinite() && (weights.array() >= 0).all() && weights.sum() > 0, name,
          "finite, not negative and not all 0", "other numbers");
}

/// Weights, and the labels or targets of the task. `of` says whose they are: "" or "validation ".
template <class T>
void check_targets(const Samples<T>& of_samples, Task task, Index n, Index n_outputs, const char* samples,
                   const std::string& of) {
  check_weights(of_samples.weights, n, samples, of + "weights");
  if (task == Task::classification) {
    require(std::ssize(of_samples.labels) == n, of + "labels",
            "one class for each of " + std::to_string(n) + " " + samples, of_samples.labels.size());
    for (const Index label : of_samples.labels)
      require(label >= 0 && label < n_outputs, of + "labels", "in [0, " + std::to_string(n_outputs - 1) + "]",
              label);
    return;
  }
  const Matrix<T>& targets = of_samples.targets;
  require(targets.rows() == n && targets.cols() == n_outputs, of + "targets",
          "of shape (" + std::to_string(n) + ", " + std::to_string(n_outputs) + ")",
          std::to_string(targets.rows()) + " x " + std::to_string(targets.cols()));
  require(targets.allFinite(), of + "targets", "finite", "infinity or NaN");
}

template <class T>
Loss<T> loss_of(Task task, const Matrix<T>& outputs, const Samples<T>& samples,
                const Vector<double>& weights) {
  return task == Task::classification ? cross_entropy<T>(outputs, samples.labels, weights)
                                      : squared_error<T>(outputs, samples.targets, weights);
}

template <class T>
Evaluation evaluation_of(Task task, const Matrix<T>& outputs, const Samples<T>& samples,
                         const Vector<double>& weights) {
  return {loss_of(task, outputs, samples, weights).value, task == Task::classification
                                                              ? accuracy(samples.labels, outputs, weights)
                                                              : r_squared(samples.targets, outputs, weights)};
}

/// The samples of some rows, into memory that is kept: `n_tokens` rows of X each, and `n_said` labels or targets.
template <class T>
void gather(const Samples<T>& samples, std::span<const Index> rows, Index n_tokens, Index n_said,
            Samples<T>& some) {
  const Index n = std::ssize(rows);
  const auto take = [&](const auto& from, auto& to, Index height) {
    to.resize(n * height, from.cols());
    for (Index i = 0; i < n; ++i)
      to.middleRows(i * height, height) = from.middleRows(rows[static_cast<std::size_t>(i)] * height, height);
  };
  take(samples.X, some.X, n_tokens);
  if (samples.targets.size()) take(samples.targets, some.targets, n_said);
  if (samples.key_padding) {
    if (!some.key_padding) some.key_padding.emplace();
    take(*samples.key_padding, *some.key_padding, 1);
  }
  if (samples.weights.size()) take(samples.weights, some.weights, 1);
  if (samples.labels.empty()) return;
  some.labels.clear();
  for (const Index row : rows) {
    const auto first = samples.labels.begin() + row * n_said;
    some.labels.insert(some.labels.end(), first, first + n_said);
  }
}

}  // namespace likewise::nn
