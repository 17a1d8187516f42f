#include <likewise/nn/training.hpp>

#include <algorithm>
#include <span>
#include <string>
#include <utility>

#include "engine/call.hpp"
#include "engine/parallel.hpp"
#include "nn/samples.hpp"
#include "nn/trainer.hpp"

namespace likewise::nn {
namespace {

template <class T> Index count(const AttentionModel& model, const Samples<T>& samples) {
  return samples.X.rows() / model.options().n_tokens;
}
template <class T> const BoolMatrix* padding_in(const Samples<T>& samples) {
  return samples.key_padding ? &*samples.key_padding : nullptr;
}

// --- tokens of which something is said each

bool is_said_of_tokens(const AttentionModel& model) { return model.options().pooling == Pooling::none; }

/// Of each output in the loss: of a token its sequence's weight, 0 of padding; empty: all 1.
template <class T> Vector<double> output_weights(const AttentionModel& model, const Samples<T>& samples) {
  if (!is_said_of_tokens(model) || (samples.weights.size() == 0 && !samples.key_padding))
    return samples.weights;
  const Index n = count(model, samples), n_tokens = model.options().n_tokens;
  Vector<double> weights = Vector<double>::Ones(n * n_tokens);
  for (Index i = 0; i < weights.size(); ++i) {
    if (samples.weights.size()) weights(i) = samples.weights(i / n_tokens);
    if (samples.key_padding && !samples.key_padding->data()[i]) weights(i) = 0;
  }
  return weights;
}

/// Of each sequence in the loss: its own, or the sum of its tokens'.
template <class T> Vector<double> sequence_weights(const AttentionModel& model, const Samples<T>& samples) {
  const Vector<double> weights = output_weights(model, samples);
  if (!is_said_of_tokens(model) || weights.size() == 0) return weights;
  const Index n_tokens = model.options().n_tokens;
  return Eigen::Map<const Matrix<double>>(weights.data(), weights.size() / n_tokens, n_tokens)
      .rowwise()
      .sum();
}

/// Labels and targets of padding, which may be anything, become 0: it weighs nothing, but NaN times 0 is NaN.
template <class T> void clear_padding(const AttentionModel& model, Samples<T>& samples) {
  if (!is_said_of_tokens(model) || !samples.key_padding) return;
  for (Index i = 0; i < samples.key_padding->size(); ++i) {
    if (samples.key_padding->data()[i]) continue;
    if (i < std::ssize(samples.labels)) samples.labels[static_cast<std::size_t>(i)] = 0;
    if (i < samples.targets.rows()) samples.targets.row(i).setZero();
  }
}

/// What the samples say, without X; of padding 0.
template <class T> Samples<T> said_of(const AttentionModel& model, const Samples<T>& samples) {
  Samples<T> said{
      .X = {}, .labels = samples.labels, .targets = samples.targets, .key_padding = samples.key_padding};
  clear_padding(model, said);
  return said;
}

// --- what is refused

template <class T> bool tokens_are_finite(const Samples<T>& samples) {
  for (Index i = 0; i < samples.X.rows(); ++i)
    if ((!samples.key_padding || samples.key_padding->data()[i]) && !samples.X.row(i).allFinite())
      return false;
  return true;
}

/// `of` says whose they are: "" or "validation ".
template <class T>
void check(const AttentionModel& model, const Samples<T>& samples, Task task, const std::string& of) {
  const AttentionModelOptions& o = model.options();
  require(samples.X.cols() == o.n_features, of + "X",
          "of n_features = " + std::to_string(o.n_features) + " columns", samples.X.cols());
  require(samples.X.rows() > 0 && samples.X.rows() % o.n_tokens == 0, of + "X",
          "of one or more sequences of n_tokens = " + std::to_string(o.n_tokens) + " rows", samples.X.rows());
  const Index n = count(model, samples);
  if (samples.key_padding)
    require(
        samples.key_padding->rows() == n && samples.key_padding->cols() == o.n_tokens, of + "key_padding",
        "of shape (" + std::to_string(n) + ", " + std::to_string(o.n_tokens) + ")",
        std::to_string(samples.key_padding->rows()) + " x " + std::to_string(samples.key_padding->cols()));
  require(tokens_are_finite(samples), of + "X", "finite", "infinity or NaN");
  if (!is_said_of_tokens(model)) return check_targets(samples, task, n, o.n_outputs, "sequences", of);
  check_weights(samples.weights, n, "sequences", of + "weights");
  check_targets(said_of(model, samples), task, n * o.n_tokens, o.n_outputs, "tokens", of);
  const Vector<double> weights = output_weights(model, samples);
  require(weights.size() == 0 || weights.sum() > 0, of + "key_padding",
          "such that a sequence of positive weight has a token", "padding alone");
}

template <class T>
Evaluation evaluate_checked(const AttentionModel& model, const Vector<T>& parameters,
                            const Samples<T>& samples, Task task, const Execution& run) {
  const Matrix<T> outputs = model.predict<T>(parameters, samples.X, padding_in(samples), run);
  const Vector<double> weights = output_weights(model, samples);
  return evaluation_of(task, outputs, said_of(model, samples),
                       weights.size() ? weights : Vector<double>::Ones(outputs.rows()));
}

/// A part of a batch's sequences, passed through the model by one thread: small layers have no work for several. Its memory is
/// kept from step to step.
template <class T> struct Part {
  Samples<T> samples = {};
  AttentionModelTrace<T> trace = {};
  Vector<T> gradient = {};
  double loss = 0, weight = 0;
};
constexpr Index tokens_of_part = 128;

/// Sequences of a model.
template <class T> class SequenceLearner : public Learner<T> {
 public:
  SequenceLearner(const AttentionModel& model, const TrainingData<T>& data, Task task)
      : model_(model), data_(data), task_(task), weights_(sequence_weights(model, data.training)) {}

  Index count() const override { return nn::count(model_, data_.training); }
  const Vector<double>& weights() const override { return weights_; }

  double differentiate(const Vector<T>& parameters, std::span<const Index> rows, double batch_weight,
                       Vector<T>& gradient, const Execution& run) override {
    const Index n = std::ssize(rows), n_tokens = model_.options().n_tokens,
                n_parts = std::clamp<Index>(engine::block_count(n * n_tokens, tokens_of_part), 1, n);
    parts_.resize(static_cast<std::size_t>(n_parts));
    engine::parallel_tasks(n_parts, run, "training", [&](Index i, const Execution& alone) {
      const Index begin = n * i / n_parts, end = n * (i + 1) / n_parts;
      differentiate(parameters, rows.subspan(begin, end - begin), batch_weight,
                    parts_[static_cast<std::size_t>(i)], alone);
    });
    double loss = 0;
    gradient.setZero();
    for (const Part<T>& part : parts_) {  // in one order, whoever did what
      if (part.weight == 0) continue;
      loss += part.weight * part.loss;
      gradient += part.gradient;
    }
    return loss;
  }

  std::optional<Evaluation> validate(const Vector<T>& parameters, const Execution& run) override {
    if (!data_.validation) return {};
    return evaluate_checked(model_, parameters, *data_.validation, task_, run);
  }

 private:
  /// A part's loss and its part of the batch's gradient.
  void differentiate(const Vector<T>& parameters, std::span<const Index> rows, double batch_weight,
                     Part<T>& part, const Execution& run) const {
    part.weight = this->weight_of(rows) / batch_weight;
    if (part.weight == 0) return;
    gather(data_.training, rows, model_.options().n_tokens, model_.rows_of_sequence(), part.samples);
    clear_padding(model_, part.samples);
    const Matrix<T>& outputs =
        model_.forward<T>(parameters, part.samples.X, padding_in(part.samples), part.trace, run);
    Loss<T> loss = loss_of(task_, outputs, part.samples, output_weights(model_, part.samples));
    part.loss = loss.value;
    loss.gradient *= static_cast<T>(part.weight);
    part.gradient.setZero(parameters.size());
    model_.backward<T>(parameters, part.trace, loss.gradient, part.gradient, nullptr, run);
  }

  const AttentionModel& model_;
  const TrainingData<T>& data_;
  Task task_;
  Vector<double> weights_;
  std::vector<Part<T>> parts_;
};

}  // namespace

template <class T>
Evaluation evaluate(const AttentionModel& model, const Vector<T>& parameters,
                    const std::type_identity_t<Samples<T>>& samples, Task task, const Execution& run) {
  const engine::Call call(run);
  check(model, samples, task, "");
  return evaluate_checked(model, parameters, samples, task, run);
}

template <class T>
TrainingHistory train(const AttentionModel& model, Vector<T>& parameters,
                      const std::type_identity_t<TrainingData<T>>& data, const TrainingOptions& options,
                      const Execution& run, std::type_identity_t<OptimizerState<T>>* state) {
  const engine::Call call(run);
  check(model, data.training, options.task, "");
  if (data.validation) check(model, *data.validation, options.task, "validation ");
  require(parameters.size() == model.layout().size(), "parameters",
          "the model's " + std::to_string(model.layout().size()) + " numbers", parameters.size());
  SequenceLearner<T> learner(model, data, options.task);
  return train_learner<T>(learner, parameters, options, state, run);
}

#define LIKEWISE_INSTANTIATE(T)                                                                  \
  template Evaluation evaluate(const AttentionModel&, const Vector<T>&, const Samples<T>&, Task, \
                               const Execution&);                                                \
  template TrainingHistory train(const AttentionModel&, Vector<T>&, const TrainingData<T>&,      \
                                 const TrainingOptions&, const Execution&, OptimizerState<T>*);
LIKEWISE_INSTANTIATE(float)
LIKEWISE_INSTANTIATE(double)
#undef LIKEWISE_INSTANTIATE

}  // namespace likewise::nn
