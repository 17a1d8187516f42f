// Layers and models that learn: parameters are flat NumPy views of C++ memory.
#include <pybind11/eigen.h>
#include <pybind11/stl.h>

#include <likewise/nn/archive.hpp>
#include <likewise/nn/attention_model.hpp>
#include <likewise/nn/training.hpp>
#include <mutex>

#include "arrays.hpp"
#include "execution.hpp"

namespace likewise::python {

namespace {

using namespace likewise::nn;

// --- options from keywords

template <class Choice> using Choices = std::vector<std::pair<std::string, Choice>>;

const Choices<Score>& choices_of(Score) {
  static const Choices<Score> known = {{"dot", Score::dot}, {"sqdist", Score::sqdist}};
  return known;
}
const Choices<Activation>& choices_of(Activation) {
  static const Choices<Activation> known = {{"gelu", Activation::gelu}, {"relu", Activation::relu}};
  return known;
}
const Choices<Pooling>& choices_of(Pooling) {
  static const Choices<Pooling> known = {{"mean", Pooling::mean}, {"cls", Pooling::cls}};
  return known;
}
const Choices<Task>& choices_of(Task) {
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

/// Each option of a layer with its default, in order: what Python's layer checks its own parameters by.
py::dict layer_defaults() {
  py::dict found;
  const AttentionLayerOptions defaults;
  each_option(defaults, [&](const char* name, const auto& value) {
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

Optimizer optimizer_of(const py::dict& values) {
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

Schedule schedule_of(const py::dict& values) {
  std::string name = "constant";
  const Options from(values);
  from("schedule", name);
  Schedule s = choice<Schedule>(
      "schedule", name, {{"constant", ConstantRate{}}, {"cosine", CosineRate{}}, {"step", StepRate{}}});
  if (auto* cosine = std::get_if<CosineRate>(&s)) from("warmup_steps", cosine->warmup_steps);
  return s;
}

TrainingOptions training_options(const py::dict& values) {
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
py::list entries(const ParameterLayout& layout) {
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

// --- one layer

/// What one forward pass leaves for its backward pass: the caller's, who may have many of one layer. Locked, since
/// the work is done without the GIL.
template <class T> struct LayerPass {
  std::mutex lock = {};
  Attending who = {};
  AttentionTrace<T> trace = {};
};

/// Gradients of all passes are added up in one place, under a lock.
template <class T> struct LayerState {
  ParameterLayout layout;
  AttentionLayer layer;
  Vector<T> parameters;
  std::mutex gradient_lock = {};

  LayerState(const AttentionLayerOptions& options, std::uint64_t seed)
      : layer(options, layout), parameters(layout.size()) {
    layer.initialize(parameters, seed);
  }
  /// A layer that takes its numbers over, which is cheaper by far than drawing some.
  LayerState(const AttentionLayerOptions& options, Vector<T> numbers)
      : layer(options, layout), parameters(std::move(numbers)) {
    require(parameters.size() == layout.size(), "parameters",
            "the " + std::to_string(layout.size()) + " numbers of these options", parameters.size());
  }
  /// Made when first asked for: layers that only go forward have none.
  Vector<T>& gradient() {
    if (gradient_.size() == 0) gradient_.setZero(layout.size());
    return gradient_;
  }

 private:
  Vector<T> gradient_;
};

/// Supports that also ask masks (n_masks * n_queries, n_keys): of both there is one for all, one for each sequence or one for
/// each head.
std::vector<Support> masked(const std::vector<Support>& supports, const BoolMatrix& masks, Index n_queries) {
  const Index n_masks = masks.rows() / n_queries, n = std::max<Index>(std::ssize(supports), n_masks);
  std::vector<Support> own;
  for (Index i = 0; i < n_masks; ++i)
    own.emplace_back(Mask{Shared<BoolMatrix>(BoolMatrix(masks.middleRows(i * n_queries, n_queries)))});
  if (supports.empty()) return own;
  const auto at = [n](const std::vector<Support>& some, Index i) -> const Support& {
    return some[static_cast<std::size_t>(i * std::ssize(some) / n)];
  };
  std::vector<Support> both;
  for (Index i = 0; i < n; ++i) both.push_back(at(supports, i) & at(own, i));
  return both;
}

template <class T> void bind_layer(py::module_& m) {
  using State = LayerState<T>;
  using Pass = LayerPass<T>;
  py::class_<Pass>(m, name_of_dtype<T>("AttentionPass").c_str()).def(py::init<>());
  py::class_<State>(m, name_of_dtype<T>("AttentionLayer").c_str())
      .def(py::init([](const py::dict& options, std::uint64_t seed) {
             return std::make_unique<State>(options_of<AttentionLayerOptions>(options), seed);
           }),
           py::arg("options"), py::arg("seed"))
      .def_static(
          "of_numbers",
          [](const py::dict& options, Vector<T> numbers) {
            return std::make_unique<State>(options_of<AttentionLayerOptions>(options), std::move(numbers));
          },
          py::arg("options"), py::arg("numbers").noconvert())
      .def_property_readonly("entries", [](const State& s) { return entries(s.layout); })
      .def_property_readonly("parameters",
                             [](py::object self) { return writable(self.cast<State&>().parameters, self); })
      .def_property_readonly("gradient",
                             [](py::object self) { return writable(self.cast<State&>().gradient(), self); })
      .def(
          "forward",
          [](const State& s, Pass& pass, const Points<T>& x, const std::optional<Matrix<T>>& context,
             Index batch, std::vector<Support> supports, const std::optional<BoolMatrix>& mask,
             const std::optional<BoolMatrix>& padding) {
            return run_without_gil([&](const Execution& run) {
              const std::lock_guard mine(pass.lock);
              pass.who = {.batch = batch, .supports = std::move(supports)};
              if (mask) pass.who.supports = masked(pass.who.supports, *mask, x.rows() / batch);
              if (padding) pass.who.key_padding = *padding;
              return s.layer.template forward<T>(s.parameters, x, context ? &*context : nullptr, pass.who,
                                                 pass.trace, run);
            });
          },
          py::arg("trace"), py::arg("x"), py::arg("context"), py::arg("batch"), py::arg("supports"),
          py::arg("mask"), py::arg("key_padding_mask"))
      .def(
          "backward",
          [](State& s, Pass& pass, const Points<T>& grad_output) {
            Vector<T>& sums = s.gradient();  // made with the GIL, which one thread has
            AttentionGradient<T> found = run_without_gil([&](const Execution& run) {
              const std::scoped_lock mine(pass.lock, s.gradient_lock);
              return s.layer.template backward<T>(s.parameters, pass.trace, grad_output, pass.who, sums, run);
            });
            return py::make_tuple(std::move(found.x), std::move(found.context));
          },
          py::arg("trace"), py::arg("grad_output"), "(dL/dx, dL/dcontext)")
      .def(
          "weights",
          [](const State& s, Pass& pass, Index sequence, Index head) {
            return run_without_gil([&](const Execution& run) {
              const std::lock_guard mine(pass.lock);
              return s.layer.template weights<T>(s.parameters, pass.trace, pass.who, sequence, head, run);
            });
          },
          py::arg("trace"), py::arg("sequence"), py::arg("head"))
      .def(
          "metric", [](const State& s, Index head) { return s.layer.metric_of(s.parameters, head); },
          py::arg("head"))
      .def(
          "log_key_weights",
          [](const State& s, Index head, const Points<T>& z) {
            return s.layer.template log_key_weights<T>(s.parameters, head, z);
          },
          py::arg("head"), py::arg("tokens"))
      .def(
          "temperature",
          [](const State& s, Index head) { return s.layer.temperature_of(s.parameters, head); },
          py::arg("head"));
}

// --- a model and its training

template <class T> struct ModelState {
  AttentionModel model;
  Vector<T> parameters;
  OptimizerState<T> optimizer = {};

  const AttentionLayer& layer(Index i) const {
    const Index n = std::ssize(model.blocks());
    require(i >= 0 && i < n, "layer", "in [0, " + std::to_string(n - 1) + "]", i);
    return model.blocks()[static_cast<std::size_t>(i)].attention();
  }
};

template <class T> Samples<T> samples_of(const py::tuple& data) {
  Samples<T> samples{data[0].cast<Matrix<T>>()};
  if (!data[1].is_none()) samples.labels = data[1].cast<std::vector<Index>>();
  if (!data[2].is_none()) samples.targets = data[2].cast<Matrix<T>>();
  if (!data[3].is_none()) samples.key_padding = data[3].cast<BoolMatrix>();
  if (!data[4].is_none()) samples.weights = data[4].cast<Vector<double>>();
  return samples;
}

py::dict as_dict(const TrainingHistory& history) {
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

/// The caller's Ctrl-C ends the training with the best parameters; the exception is raised by `interrupt` afterwards.
template <class T>
py::dict train_model(ModelState<T>& s, const py::tuple& training, const std::optional<py::tuple>& validation,
                     const py::dict& options) {
  const TrainingOptions how = training_options(options);
  TrainingData<T> data{samples_of<T>(training)};
  if (validation) data.validation = samples_of<T>(*validation);
  PythonExecution execution;
  const TrainingHistory history = [&] {
    const WithoutGil released;
    return train<T>(s.model, s.parameters, data, how, execution.settings(), &s.optimizer);
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

template <class T> void bind_model(py::module_& m) {
  using State = ModelState<T>;
  py::class_<State>(m, name_of_dtype<T>("AttentionModel").c_str())
      .def(py::init([](const py::dict& options, std::uint64_t seed) {
             AttentionModel model(options_of<AttentionModelOptions>(options));
             Vector<T> parameters = model.initial_parameters<T>(seed);
             return std::make_unique<State>(State{std::move(model), std::move(parameters)});
           }),
           py::arg("options"), py::arg("seed"))
      .def_property_readonly("entries", [](const State& s) { return entries(s.model.layout()); })
      .def_property_readonly("parameters",
                             [](py::object self) { return writable(self.cast<State&>().parameters, self); })
      .def("train", &train_model<T>, py::arg("training"), py::arg("validation"), py::arg("options"),
           "The history.")
      .def(
          "predict",
          [](const State& s, const Points<T>& X, const std::optional<BoolMatrix>& padding) {
            return run_without_gil([&](const Execution& run) {
              return s.model.template predict<T>(s.parameters, X, padding ? &*padding : nullptr, run);
            });
          },
          py::arg("X"), py::arg("key_padding_mask"))
      .def(
          "layer_input",
          [](const State& s, const Points<T>& X, Index layer, const std::optional<BoolMatrix>& padding) {
            return run_without_gil([&](const Execution& run) {
              return s.model.template layer_input<T>(s.parameters, X, layer, padding ? &*padding : nullptr,
                                                     run);
            });
          },
          py::arg("X"), py::arg("layer"), py::arg("key_padding_mask"))
      .def(
          "weights",
          [](const State& s, const Points<T>& X, const std::optional<BoolMatrix>& padding) {
            return run_without_gil([&](const Execution& run) {
              return s.model.template weights<T>(s.parameters, X, padding ? &*padding : nullptr, run);
            });
          },
          py::arg("X"), py::arg("key_padding_mask"))
      .def(
          "metric",
          [](const State& s, Index layer, Index head) {
            return s.layer(layer).metric_of(s.parameters, head);
          },
          py::arg("layer"), py::arg("head"))
      .def(
          "temperature",
          [](const State& s, Index layer, Index head) {
            return s.layer(layer).temperature_of(s.parameters, head);
          },
          py::arg("layer"), py::arg("head"))
      .def(
          "save",
          [](const State& s, const std::string& path, const std::string& metadata) {
            save_model(path, s.model, s.parameters, metadata);
          },
          py::arg("path"), py::arg("metadata"));
  m.def(
      name_of_dtype<T>("load_attention_model").c_str(),
      [](const std::string& path) {
        SavedModel<T> saved = load_model<T>(path);
        return py::make_tuple(
            std::make_unique<State>(State{std::move(saved.model), std::move(saved.parameters)}),
            saved.metadata);
      },
      py::arg("path"), "(model, metadata)");
}

}  // namespace

void bind_nn(py::module_& m) {
  bind_layer<float>(m);
  bind_layer<double>(m);
  bind_model<float>(m);
  bind_model<double>(m);
  m.def("attention_layer_defaults", &layer_defaults, "Each option of a layer with its default.");
  m.def("saved_kind", &saved_kind, py::arg("path"), "'attention model' or 'in-context model'.");
  m.def("saved_number_size", &saved_number_size, py::arg("path"), "Bytes of a number in the file: 4 or 8.");
}

}  // namespace likewise::python
