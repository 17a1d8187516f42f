// Layers and models that learn: parameters are flat NumPy views of C++ memory.
#include <likewise/nn/archive.hpp>
#include <mutex>

#include "arrays.hpp"
#include "nn_arguments.hpp"

namespace likewise::python {

namespace {

using namespace learning;

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

template <class T>
py::dict train_model(ModelState<T>& s, const py::tuple& training, const std::optional<py::tuple>& validation,
                     const py::dict& options) {
  const TrainingOptions how = training_options(options);
  TrainingData<T> data{samples_of<T>(training)};
  if (validation) data.validation = samples_of<T>(*validation);
  return trained(
      [&](const Execution& run) { return train<T>(s.model, s.parameters, data, how, run, &s.optimizer); });
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
  m.def(
      "attention_layer_defaults", [] { return options_as_dict(AttentionLayerOptions{}); },
      "Each option of a layer with its default, in order.");
  m.def("saved_kind", &saved_kind, py::arg("path"),
        "'attention model', 'in-context model' or 'propagation network'.");
  m.def("saved_number_size", &saved_number_size, py::arg("path"), "Bytes of a number in the file: 4 or 8.");
}

}  // namespace likewise::python
