// A model meets data: epochs of steps, watched on other data.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include <likewise/execution.hpp>
#include <likewise/nn/attention_model.hpp>
#include <likewise/nn/optimizer.hpp>
#include <likewise/nn/schedule.hpp>

namespace likewise::nn {

/// classification: labels, cross-entropy, accuracy. regression: targets, mean squared error, R^2 (the mean over
/// targets).
enum class Task { classification, regression };

/// n sequences and what is to be said of them: of a model without pooling, of each of their tokens, n_rows = n * n_tokens
/// in the order of X's rows; else of each sequence, n_rows = n.
///
/// Without pooling the loss is a mean over tokens, each with its sequence's weight, and so is the score. `key_padding` marks
/// what is no token: its label or target counts nowhere and may be anything, -1 or NaN too.
template <class T> struct Samples {
  Matrix<T> X;                                 ///< (n * n_tokens, n_features)
  std::vector<Index> labels = {};              ///< (n_rows,) in [0, n_outputs), of classification
  Matrix<T> targets = {};                      ///< (n_rows, n_outputs), of regression
  std::optional<BoolMatrix> key_padding = {};  ///< (n, n_tokens), true = a token
  Vector<double> weights = {};                 ///< (n,) of the loss; 0: as if not there; empty: all 1
};

template <class T> struct TrainingData {
  Samples<T> training;
  std::optional<Samples<T>> validation = {};
};

struct TrainingOptions {
  Task task = Task::classification;
  Optimizer optimizer = AdamW{};
  double learning_rate = 1e-3;
  Schedule schedule = ConstantRate{};  ///< over this call's steps: max_epochs * ceil(n / batch_size)
  Index batch_size = 64;               ///< the last batch of an epoch may be smaller
  Index max_epochs = 100;
  double max_norm = 0;  ///< gradients are clipped to it; 0: not at all
  Index patience =
      0;  ///< ends after so many epochs without a better loss, and brings the best weights back; 0: neither
  double min_delta = 0;    ///< a loss is better that is lower by more than this
  std::uint64_t seed = 0;  ///< of the order of samples
  /// The rows of each step instead of shuffled ones, from the beginning again when they end: those of one
  /// epoch, or of all.
  std::vector<std::vector<Index>> batches = {};
};

struct EpochRecord {
  double training_loss = 0;  ///< the mean over the epoch's samples, each under the weights of its step
  double validation_loss =
      std::numeric_limits<double>::quiet_NaN();  ///< under the weights at the epoch's end
  double validation_score = std::numeric_limits<double>::quiet_NaN();  ///< accuracy, or R^2
  double learning_rate = 0;                                            ///< of the last step
  double seconds = 0;
};

struct TrainingHistory {
  std::vector<EpochRecord> epochs;
  Index best_epoch =
      -1;  ///< of the lowest validation loss, without validation data training loss; -1: none was finished
  bool stopped =
      false;  ///< on request: the parameters are those of the best epoch, or the last if none was finished
  bool early_stopped = false;  ///< patience has ended
};

struct Evaluation {
  double loss = 0, score = 0;
};

/// Loss and score of the samples, as in the history. Throws InvalidArgument where they do not fit the model.
template <class T>
Evaluation evaluate(const AttentionModel& model, const Vector<T>& parameters,
                    const std::type_identity_t<Samples<T>>& samples, Task task, const Execution& run = {});

/// Trains `parameters` in place. The same numbers for any number of threads, and for the same seed; a second
/// call goes on from the first one where it is given its `state` (a constant rate then gives what one longer
/// call gives).
///
/// Without patience the last weights remain, with it the best. A stop request ends the training, not the
/// program: see `stopped`. Throws InvalidArgument before the first step where options or data do not fit, and
/// NotConverged naming the step where a loss is not finite: `parameters` are then the last ones whose loss was,
/// `state` is empty.
template <class T>
TrainingHistory train(const AttentionModel& model, Vector<T>& parameters,
                      const std::type_identity_t<TrainingData<T>>& data, const TrainingOptions& options = {},
                      const Execution& run = {}, std::type_identity_t<OptimizerState<T>>* state = nullptr);

}  // namespace likewise::nn
