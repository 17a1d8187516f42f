// What models that learn are told from Python, and what they tell: options, samples, parameters by name, the history.
#pragma once

#include <pybind11/eigen.h>
#include <pybind11/stl.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <likewise/nn/attention_model.hpp>
#include <likewise/nn/training.hpp>

#include "execution.hpp"

namespace likewise::python::learning {

using namespace likewise::nn;

// --- options from keywords

template <class Choice> using Choices = std::vector<std::pair<std::string, Choice>>;

inline const Choices<Score>& choices_of(Score) {
  static const Choices<Score> known = {{"dot", Score::dot},
                                       {"sqdist", Score::sqdist},
                                       {"additive", Score::additive},
                                       {"additive_dynamic", Score::additive_dynamic},
                                       {"given", Score::given}};
  return known;
}
inline const Choices<Activation>& choices_of(Activation) {
  static const Choices<Activation> known = {{"gelu", Activation::gelu}, {"relu", Activation::relu}};
  return known;
}
inline const Choices<Pooling>& choices_of(Pooling) {
  static const Choices<Pooling> known = {
      {"mean", Pooling::mean}, {"cls", Pooling::cls}, {"none", Pooling::none}};
  return known;
}
inline const Choices<Task>& choices_of(Task) {
  static const Choices<Task> known = {{"classification", Task::classification},
                                      {"regression", Task::regression}};
  return known;
}

template <class Choice>
Choice choice(const char* name, const std::string& given, const Choices<Choice>& known) {
  std::string all;
  for (const auto& [text, value] : known) {
    if (text == given) return value;
    all += (all.empty() ? "\"" : ", \"") + text + "\"";
  }
  refuse(name, "one of " + all, "\"" + given + "\"");
}

/// Those of a dict; what is not in it keeps its default.
class Options {
 public:
  explicit Options(const py::dict& values) : values_(values) {}

  template <class Value> void operator()(const char* name, Value& value) const {
    if (!values_.contains(name)) return;
    if constexpr (std::is_enum_v<Value>)
      value = choice(name, values_[name].cast<std::string>(), choices_of(value));
    else
      value = values_[name].cast<Value>();
  }

 private:
  const py::dict& values_;
};

template <class Some> Some options_of(const py::dict& values) {
  Some options;
  each_option(options, Options(values));
  return options;
}

/// Each option by its name, in order.
template <class Some> py::dict options_as_dict(const Some& options) {
  py::dict found;
  each_option(options, [&](const char* name, const auto& value) {
    using Value = std::remove_cvref_t<decltype(value)>;
    if constexpr (std::is_enum_v<Value>)
      for (const auto& [text, known] : choices_of(value)) {
        if (known == value) found[name] = text;
      }
    else
      found[name] = value;
  });
  return found;
}

inline Optimizer optimizer_of(const py::dict& values) {
  std::string name = "adamw";
  std::optional<double> decay;
  double momentum = 0;
  const Options from(values);
  from("optimizer", name);
  from("weight_decay", decay);
  from("momentum", momentum);
  Optimizer o = choice<Optimizer>("optimizer", name, {{"adamw", AdamW{}}, {"adam", Adam{}}, {"sgd", Sgd{}}});
  if (auto* sgd = std::get_if<Sgd>(&o)) sgd->momentum = momentum;
  if (decay) std::visit([&decay](auto& any) { any.weight_decay = *decay; }, o);
  return o;
}

inline Schedule schedule_of(const py::dict& values) {
  std::string name = "constant";
  const Options from(values);
  from("schedule", name);
  Schedule s = choice<Schedule>(
      "schedule", name, {{"constant", ConstantRate{}}, {"cosine", CosineRate{}}, {"step", StepRate{}}});
  if (auto* cosine = std::get_if<CosineRate>(&s)) from("warmup_steps", cosine->warmup_steps);
  return s;
}

inline TrainingOptions training_options(const py::dict& values) {
  TrainingOptions o;
  const Options from(values);
  from("task", o.task);
  o.optimizer = optimizer_of(values);
  o.schedule = schedule_of(values);
  from("learning_rate", o.learning_rate);
  from("batch_size", o.batch_size);
  from("max_epochs", o.max_epochs);
  from("max_norm", o.max_norm);
  from("patience", o.patience);
  from("min_delta", o.min_delta);
  from("seed", o.seed);
  from("batches", o.batches);
  return o;
}

// --- parameters

/// [(name, offset, shape)]
inline py::list entries(const ParameterLayout& layout) {
  py::list found;
  for (const auto& [name, slot, stack] : layout.entries()) {
    py::tuple shape = py::make_tuple(slot.rows);
    if (stack)
      shape = py::make_tuple(stack, slot.rows / stack, slot.cols);
    else if (slot.cols)
      shape = py::make_tuple(slot.rows, slot.cols);
    found.append(py::make_tuple(name, slot.offset, shape));
  }
  return found;
}

// --- training

template <class T> Samples<T> samples_of(const py::tuple& data) {
  Samples<T> samples{data[0].cast<Matrix<T>>()};
  if (!data[1].is_none()) samples.labels = data[1].cast<std::vector<Index>>();
  if (!data[2].is_none()) samples.targets = data[2].cast<Matrix<T>>();
  if (!data[3].is_none()) samples.key_padding = data[3].cast<BoolMatrix>();
  if (!data[4].is_none()) samples.weights = data[4].cast<Vector<double>>();
  return samples;
}

inline py::dict as_dict(const TrainingHistory& history) {
  py::dict found;
  const auto column = [&](const char* name, double EpochRecord::*member) {
    std::vector<double> values;
    for (const EpochRecord& epoch : history.epochs) values.push_back(epoch.*member);
    found[name] = values;
  };
  column("loss", &EpochRecord::training_loss);
  column("validation_loss", &EpochRecord::validation_loss);
  column("validation_score", &EpochRecord::validation_score);
  column("learning_rate", &EpochRecord::learning_rate);
  column("seconds", &EpochRecord::seconds);
  found["best_epoch"] = history.best_epoch;
  found["stopped"] = history.stopped;
  found["early_stopped"] = history.early_stopped;
  return found;
}

/// train(execution)'s history. The caller's Ctrl-C ends the training with the best parameters; the exception is raised by
/// `interrupt` afterwards.
template <class Train> py::dict trained(const Train& train) {
  PythonExecution execution;
  const TrainingHistory history = [&] {
    const WithoutGil released;
    return train(execution.settings());
  }();
  py::dict found = as_dict(history);
  if (history.stopped) {
    try {
      execution.rethrow();
    } catch (py::error_already_set& error) {
      found["interrupt"] = error.value();
    }
  }
  return found;
}

}  // namespace likewise::python::learning
