// Steps and epochs of a training, of anything that can say its loss on some rows.
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <optional>
#include <random>
#include <span>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <likewise/nn/training.hpp>

#include "engine/parallel.hpp"

namespace likewise::nn {

/// Who is trained: rows with weights, and a loss of them under given parameters.
template <class T> class Learner {
 public:
  virtual ~Learner() = default;
  /// Rows, those of weight 0 among them.
  virtual Index count() const = 0;
  /// (count,), or empty: all 1.
  virtual const Vector<double>& weights() const = 0;
  /// sum over `rows` of weight times loss, divided by `batch_weight`; its derivative is written to `gradient`, which has the
  /// parameters' length.
  virtual double differentiate(const Vector<T>& parameters, std::span<const Index> rows, double batch_weight,
                               Vector<T>& gradient, const Execution& run) = 0;
  /// On the data that is watched; none where there is none.
  virtual std::optional<Evaluation> validate(const Vector<T>& parameters, const Execution& run) = 0;

  double weight_of(std::span<const Index> rows) const {
    if (weights().size() == 0) return static_cast<double>(rows.size());
    double sum = 0;
    for (const Index row : rows) sum += weights()(row);
    return sum;
  }
};

/// Throws InvalidArgument naming the option; n rows.
inline void check(const TrainingOptions& o, Index n) {
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

using Clock = std::chrono::steady_clock;

inline double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// The rows that have a weight: one of weight 0 is as if it were not there.
template <class T> std::vector<Index> weighted_rows(const Learner<T>& learner) {
  std::vector<Index> rows;
  for (Index i = 0; i < learner.count(); ++i)
    if (learner.weight_of({&i, 1}) > 0) rows.push_back(i);
  return rows;
}

/// The rows in an order of the epoch's own: what seed, and steps done before, say.
inline std::vector<Index> shuffled(std::vector<Index> order, std::uint64_t seed, Index steps) {
  const auto word = [](auto number, int shift) {
    return static_cast<std::uint32_t>(static_cast<std::uint64_t>(number) >> shift);
  };
  std::seed_seq words{word(seed, 0), word(seed, 32), word(steps, 0), word(steps, 32)};
  std::mt19937_64 random(words);
  for (std::size_t i = order.size(); i > 1; --i)
    std::swap(order[i - 1], order[static_cast<std::size_t>(random() % i)]);
  return order;
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

template <class T> class Trainer {
 public:
  Trainer(Learner<T>& learner, Vector<T> parameters, const TrainingOptions& options, OptimizerState<T>& state,
          const Execution& run)
      : learner_(learner),
        options_(options),
        state_(state),
        run_(run),
        inside_(run),
        all_rows_(weighted_rows(learner)),
        mean_weight_(learner.weight_of(all_rows_) / static_cast<double>(all_rows_.size())),
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
      if (const double batch_weight = learner_.weight_of(rows_); batch_weight > 0) {
        // As if all batches weighed the same: a batch of light rows moves the parameters less than one of heavy rows.
        const auto n_weighted = std::count_if(rows_.begin(), rows_.end(), [&](Index i) {
          return learner_.weight_of({&i, 1}) > 0;
        });
        const double usual_weight = mean_weight_ * static_cast<double>(n_weighted);
        sum += usual_weight * step(record.learning_rate, usual_weight);
        weight += batch_weight;
      }
      progress.say(++steps_);
    }
    if (!parameters_.allFinite()) fail("the parameters are not finite after", steps_);
    record.training_loss = sum / weight;
    if (const auto seen = finite_or_failed(steps_, [&] { return learner_.validate(parameters_, inside_); })) {
      record.validation_loss = seen->loss;
      record.validation_score = seen->score;
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

  /// The loss of the batch before the step, a sum over its rows divided by `batch_weight`. The old parameters stay where the
  /// next ones will be written: nothing is copied.
  double step(double rate, double batch_weight) {
    const double loss = finite_or_failed(steps_ + 1, [&] {
      return learner_.differentiate(parameters_, rows_, batch_weight, gradient_, inside_);
    });
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
    const double loss = std::isnan(last.validation_loss) ? last.training_loss : last.validation_loss;
    waited_ = loss < lowest_ - options_.min_delta ? 0 : waited_ + 1;
    if (loss < lowest_) {
      lowest_ = loss;
      history.best_epoch = static_cast<Index>(history.epochs.size()) - 1;
      if (options_.patience > 0 || run_.stop_requested) best_ = parameters_;
    }
    return options_.patience > 0 && waited_ >= options_.patience;
  }

  Learner<T>& learner_;
  const TrainingOptions& options_;
  OptimizerState<T>& state_;
  const Execution& run_;
  Execution inside_;
  const std::vector<Index> all_rows_;
  const double mean_weight_;
  Index steps_of_epoch_, steps_ = 0, waited_ = 0;
  double lowest_ = std::numeric_limits<double>::infinity();
  Vector<T> parameters_, before_, best_, gradient_;
  std::vector<Index> rows_;
};

/// Trains `parameters` in place; what has been checked before.
template <class T>
TrainingHistory train_learner(Learner<T>& learner, Vector<T>& parameters, const TrainingOptions& options,
                              OptimizerState<T>* state, const Execution& run) {
  check(options, learner.count());
  OptimizerState<T> fresh;
  Trainer<T> trainer(learner, parameters, options, state ? *state : fresh, run);
  try {
    TrainingHistory history = trainer.train();
    parameters = trainer.parameters();
    return history;
  } catch (const NotConverged&) {
    parameters = trainer.parameters();
    throw;
  }
}

}  // namespace likewise::nn
