#include <likewise/nn/training.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <random>
#include <span>
#include <sstream>
#include <string>
#include <utility>

#include <likewise/nn/loss.hpp>

#include "engine/call.hpp"
#include "engine/parallel.hpp"
#include "scores.hpp"

namespace likewise::nn {
namespace {

using Clock = std::chrono::steady_clock;
constexpr double infinity = std::numeric_limits<double>::infinity();

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

template <class T> Index count(const AttentionModel& model, const Samples<T>& samples) {
  return samples.X.rows() / model.options().n_tokens;
}
template <class T> const BoolMatrix* padding_in(const Samples<T>& samples) {
  return samples.key_padding ? &*samples.key_padding : nullptr;
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
  require(samples.weights.size() == 0 || samples.weights.size() == n, of + "weights",
          "one number for each of " + std::to_string(n) + " sequences", samples.weights.size());
  require(samples.weights.allFinite() && (samples.weights.array() >= 0).all()
              && (samples.weights.size() == 0 || samples.weights.sum() > 0),
          of + "weights", "finite, not negative and not all 0", "other numbers");
  if (task == Task::classification) {
    require(static_cast<Index>(samples.labels.size()) == n, of + "labels",
            "one class for each of " + std::to_string(n) + " sequences", samples.labels.size());
    for (const Index label : samples.labels)
      require(label >= 0 && label < o.n_outputs, of + "labels",
              "in [0, " + std::to_string(o.n_outputs - 1) + "]", label);
  } else {
    require(samples.targets.rows() == n && samples.targets.cols() == o.n_outputs, of + "targets",
            "of shape (" + std::to_string(n) + ", " + std::to_string(o.n_outputs) + ")",
            std::to_string(samples.targets.rows()) + " x " + std::to_string(samples.targets.cols()));
    require(samples.targets.allFinite(), of + "targets", "finite", "infinity or NaN");
  }
}

void check(const TrainingOptions& o, Index n) {
  validate(o.optimizer);
  validate(o.schedule);
  require(std::isfinite(o.learning_rate) && o.learning_rate > 0, "learning_rate", "positive",
          o.learning_rate);
  require(o.batch_size >= 1, "batch_size", "at least 1", o.batch_size);
  require(o.max_epochs >= 0, "max_epochs", "not negative", o.max_epochs);
  require(o.max_norm >= 0, "max_norm", "positive, or 0 for no clipping", o.max_norm);
  require(o.patience >= 0, "patience", "at least 1, or 0 for no early stopping", o.patience);
  require(o.min_delta >= 0, "min_delta", "not negative", o.min_delta);
  for (const std::vector<Index>& rows : o.batches) {
    require(!rows.empty(), "batches", "of one row or more each", "an empty batch");
    for (const Index row : rows)
      require(row >= 0 && row < n, "batches", "of rows in [0, " + std::to_string(n - 1) + "]", row);
  }
}

// --- losses and scores

template <class T> Loss<T> loss_of(Task task, const Matrix<T>& outputs, const Samples<T>& samples) {
  return task == Task::classification ? cross_entropy<T>(outputs, samples.labels, samples.weights)
                                      : squared_error<T>(outputs, samples.targets, samples.weights);
}

template <class T>
Evaluation evaluate_checked(const AttentionModel& model, const Vector<T>& parameters,
                            const Samples<T>& samples, Task task, const Execution& run) {
  const Matrix<T> outputs = model.predict<T>(parameters, samples.X, padding_in(samples), run);
  const Vector<double> weights =
      samples.weights.size() ? samples.weights : Vector<double>::Ones(outputs.rows());
  return {loss_of(task, outputs, samples).value, task == Task::classification
                                                     ? accuracy(samples.labels, outputs, weights)
                                                     : r_squared(samples.targets, outputs, weights)};
}

// --- the order of samples

/// The rows that have a weight: one of weight 0 is as if it were not there.
template <class T> std::vector<Index> weighted_rows(const Samples<T>& samples, Index n) {
  std::vector<Index> rows;
  for (Index i = 0; i < n; ++i)
    if (samples.weights.size() == 0 || samples.weights(i) > 0) rows.push_back(i);
  return rows;
}

/// The rows in an order of the epoch's own: what seed, and steps done before, say.
std::vector<Index> shuffled(std::vector<Index> order, std::uint64_t seed, Index steps) {
  const auto word = [](auto number, int shift) {
    return static_cast<std::uint32_t>(static_cast<std::uint64_t>(number) >> shift);
  };
  std::seed_seq words{word(seed, 0), word(seed, 32), word(steps, 0), word(steps, 32)};
  std::mt19937_64 random(words);
  for (std::size_t i = order.size(); i > 1; --i)
    std::swap(order[i - 1], order[static_cast<std::size_t>(random() % i)]);
  return order;
}

/// The samples of some rows, into memory that is kept.
template <class T>
void gather(const Samples<T>& samples, std::span<const Index> rows, Index n_tokens, Samples<T>& some) {
  const Index n = std::ssize(rows);
  const auto take = [&](const auto& from, auto& to, Index height) {
    to.resize(n * height, from.cols());
    for (Index i = 0; i < n; ++i)
      to.middleRows(i * height, height) = from.middleRows(rows[static_cast<std::size_t>(i)] * height, height);
  };
  take(samples.X, some.X, n_tokens);
  if (samples.targets.size()) take(samples.targets, some.targets, 1);
  if (samples.key_padding) {
    if (!some.key_padding) some.key_padding.emplace();
    take(*samples.key_padding, *some.key_padding, 1);
  }
  if (samples.weights.size()) take(samples.weights, some.weights, 1);
  if (samples.labels.empty()) return;
  some.labels.resize(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i)
    some.labels[i] = samples.labels[static_cast<std::size_t>(rows[i])];
}

/// Tells the caller how far we are, a few times a second.
class Progress {
 public:
  Progress(const Execution& run, Index n_steps) : run_(run), n_steps_(n_steps) {}

  void say(Index done) {
    const auto now = Clock::now();
    if (!run_.progress || (done < n_steps_ && now - last_ < std::chrono::milliseconds(50))) return;
    last_ = now;
    engine::report(run_, static_cast<double>(done) / static_cast<double>(n_steps_), "training");
  }

 private:
  const Execution& run_;
  Index n_steps_;
  Clock::time_point last_ = Clock::now();
};

// --- steps and epochs

/// A part of a batch's sequences, passed through the model by one thread: small layers have no work for several. Its memory is
/// kept from step to step.
template <class T> struct Part {
  Samples<T> samples = {};
  AttentionModelTrace<T> trace = {};
  Vector<T> gradient = {};
  double loss = 0, weight = 0;
};
constexpr Index tokens_of_part = 128;

template <class T> class Trainer {
 public:
  Trainer(const AttentionModel& model, Vector<T> parameters, const TrainingData<T>& data,
          const TrainingOptions& options, OptimizerState<T>& state, const Execution& run)
      : model_(model),
        data_(data),
        options_(options),
        state_(state),
        run_(run),
        inside_(run),
        all_rows_(weighted_rows(data.training, count(model, data.training))),
        mean_weight_(weight_of(all_rows_) / static_cast<double>(all_rows_.size())),
        steps_of_epoch_((std::ssize(all_rows_) + options.batch_size - 1) / options.batch_size),
        parameters_(std::move(parameters)),
        gradient_(parameters_.size()) {
    inside_.progress = {};  // of a training, not of its products
  }

  TrainingHistory train() {
    TrainingHistory history;
    Progress progress(run_, options_.max_epochs * steps_of_epoch_);
    try {
      for (Index epoch = 0; epoch < options_.max_epochs && !history.early_stopped; ++epoch) {
        history.epochs.push_back(one_epoch(progress));
        history.early_stopped = judge(history);
        if (run_.stop_requested && run_.stop_requested()) throw Interrupted();
      }
    } catch (const Interrupted&) {
      history.stopped = true;
    }
    if (best_.size() && (history.stopped || options_.patience > 0)) parameters_ = best_;
    return history;
  }

  /// At the end the result, after a failure the last parameters whose loss was finite.
  const Vector<T>& parameters() const { return parameters_; }

 private:
  EpochRecord one_epoch(Progress& progress) {
    const auto start = Clock::now();
    EpochRecord record;
    const std::vector<Index> order =
        options_.batches.empty() ? shuffled(all_rows_, options_.seed, state_.steps) : std::vector<Index>();
    double sum = 0, weight = 0;
    for (Index i = 0; i < steps_of_epoch_; ++i) {
      record.learning_rate =
          rate_at(options_.schedule, options_.learning_rate, steps_, options_.max_epochs * steps_of_epoch_);
      take_rows(order, i);
      if (const double batch_weight = weight_of(rows_); batch_weight > 0) {
        // As if all batches weighed the same: a batch of light rows moves the parameters less than one of heavy rows.
        const auto n_weighted = std::count_if(rows_.begin(), rows_.end(), [&](Index i) {
          return weight_of({&i, 1}) > 0;
        });
        const double usual_weight = mean_weight_ * static_cast<double>(n_weighted);
        sum += usual_weight * step(record.learning_rate, usual_weight);
        weight += batch_weight;
      }
      progress.say(++steps_);
    }
    if (!parameters_.allFinite()) fail("the parameters are not finite after", steps_);
    record.training_loss = sum / weight;
    if (data_.validation) {
      const Evaluation seen = finite_or_failed(steps_, [&] {
        return evaluate_checked(model_, parameters_, *data_.validation, options_.task, inside_);
      });
      record.validation_loss = seen.loss;
      record.validation_score = seen.score;
    }
    record.seconds = seconds_since(start);
    return record;
  }

  void take_rows(const std::vector<Index>& order, Index i) {
    if (options_.batches.empty()) {
      const auto begin = order.begin() + i * options_.batch_size;
      rows_.assign(begin, begin + std::min<std::ptrdiff_t>(options_.batch_size, order.end() - begin));
    } else {
      rows_ = options_.batches[static_cast<std::size_t>(steps_) % options_.batches.size()];
    }
  }

  double weight_of(std::span<const Index> rows) const {
    const Vector<double>& weights = data_.training.weights;
    if (weights.size() == 0) return static_cast<double>(rows.size());
    double sum = 0;
    for (const Index row : rows) sum += weights(row);
    return sum;
  }

  /// The loss of the batch before the step, a sum over its rows divided by `batch_weight`. The old parameters stay where the next ones will be written: nothing is copied.
  double step(double rate, double batch_weight) {
    const Index n = std::ssize(rows_), n_tokens = model_.options().n_tokens,
                n_parts = std::clamp<Index>(engine::block_count(n * n_tokens, tokens_of_part), 1, n);
    parts_.resize(static_cast<std::size_t>(n_parts));
    finite_or_failed(steps_ + 1, [&] {
      engine::parallel_tasks(n_parts, inside_, "training", [&](Index i, const Execution& alone) {
        const Index begin = n * i / n_parts, end = n * (i + 1) / n_parts;
        differentiate({rows_.data() + begin, static_cast<std::size_t>(end - begin)}, batch_weight,
                      parts_[static_cast<std::size_t>(i)], alone);
      });
    });
    double loss = 0;
    gradient_.setZero();
    for (const Part<T>& part : parts_) {  // in one order, whoever did what
      if (part.weight == 0) continue;
      loss += part.weight * part.loss;
      gradient_ += part.gradient;
    }
    if (!std::isfinite(loss)) {
      std::ostringstream what;
      what << "the loss is " << loss << " at";
      fail(what.str(), steps_ + 1);
    }
    if (options_.max_norm > 0) clip_gradient(gradient_, options_.max_norm);
    take_step(options_.optimizer, rate, gradient_, parameters_, before_, state_);
    parameters_.swap(before_);
    return loss;
  }

  /// A part's loss and its part of the batch's gradient.
  void differentiate(std::span<const Index> rows, double batch_weight, Part<T>& part,
                     const Execution& run) const {
    part.weight = weight_of(rows) / batch_weight;
    if (part.weight == 0) return;
    gather(data_.training, rows, model_.options().n_tokens, part.samples);
    const Matrix<T>& outputs =
        model_.forward<T>(parameters_, part.samples.X, padding_in(part.samples), part.trace, run);
    Loss<T> loss = loss_of(options_.task, outputs, part.samples);
    part.loss = loss.value;
    loss.gradient *= static_cast<T>(part.weight);
    part.gradient.setZero(parameters_.size());
    model_.backward<T>(parameters_, part.trace, loss.gradient, part.gradient, nullptr, run);
  }

  /// The data was checked before the first step: what a layer refuses are numbers that ran away.
  template <class Work> auto finite_or_failed(Index step, const Work& work) {
    try {
      return work();
    } catch (const InvalidArgument& error) {
      fail(std::string(error.what()) + " This was at", step);
    }
  }

  [[noreturn]] void fail(const std::string& what, Index step) {
    if (before_.size()) parameters_.swap(before_);
    state_ = {};
    std::ostringstream message;
    message
        << what << " step " << step << " (epoch " << (step - 1) / steps_of_epoch_ + 1 << ", learning_rate "
        << options_.learning_rate
        << "); the last parameters of finite loss were kept. Lower learning_rate, set max_norm, or scale X.";
    throw NotConverged(message.str());
  }

  /// Whether patience has ended. The best parameters are kept even where no patience asks for them: a stop
  /// request may.
  bool judge(TrainingHistory& history) {
    const EpochRecord& last = history.epochs.back();
    const double loss = data_.validation ? last.validation_loss : last.training_loss;
    waited_ = loss < lowest_ - options_.min_delta ? 0 : waited_ + 1;
    if (loss < lowest_) {
      lowest_ = loss;
      history.best_epoch = static_cast<Index>(history.epochs.size()) - 1;
      if (options_.patience > 0 || run_.stop_requested) best_ = parameters_;
    }
    return options_.patience > 0 && waited_ >= options_.patience;
  }

  const AttentionModel& model_;
  const TrainingData<T>& data_;
  const TrainingOptions& options_;
  OptimizerState<T>& state_;
  const Execution& run_;
  Execution inside_;
  const std::vector<Index> all_rows_;
  const double mean_weight_;
  Index steps_of_epoch_, steps_ = 0, waited_ = 0;
  double lowest_ = infinity;
  Vector<T> parameters_, before_, best_, gradient_;
  std::vector<Index> rows_;
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
  check(options, count(model, data.training));
  require(parameters.size() == model.layout().size(), "parameters",
          "the model's " + std::to_string(model.layout().size()) + " numbers", parameters.size());
  OptimizerState<T> fresh;
  Trainer<T> trainer(model, parameters, data, options, state ? *state : fresh, run);
  try {
    TrainingHistory history = trainer.train();
    parameters = trainer.parameters();
    return history;
  } catch (const NotConverged&) {
    parameters = trainer.parameters();
    throw;
  }
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
