// A propagation network, its training and its files.
#include <likewise/nn/archive.hpp>
#include <likewise/nn/propagation_network.hpp>
#include <mutex>

#include "arrays.hpp"
#include "nn_arguments.hpp"

namespace likewise::python {
namespace {

using namespace learning;

/// What one forward pass leaves for its backward pass: the caller's. Locked, since the work is done without the GIL.
template <class T> struct NetworkPass {
  std::mutex lock = {};
  PropagationNetworkTrace<T> trace = {};
};

template <class T> struct NetworkState {
  PropagationNetwork network;
  Vector<T> parameters;
  OptimizerState<T> optimizer = {};

  const AttentionLayer& layer(Index i) const {
    const Index n = std::ssize(network.layers());
    require(i >= 0 && i < n, "layer", "in [0, " + std::to_string(n - 1) + "]", i);
    return network.layers()[static_cast<std::size_t>(i)];
  }
};

template <class T> PropagationData<T> data_of(const py::tuple& data) {
  PropagationData<T> found{.samples = samples_of<T>(data)};
  if (!data[5].is_none()) found.validation_weights = data[5].cast<Vector<double>>();
  if (data[6].cast<bool>()) found.context = RowContext::all;
  found.support = data[7].cast<Support>();
  return found;
}

template <class T> void bind_network(py::module_& m) {
  using State = NetworkState<T>;
  using Pass = NetworkPass<T>;
  py::class_<Pass>(m, name_of_dtype<T>("PropagationNetworkPass").c_str()).def(py::init<>());
  py::class_<State>(m, name_of_dtype<T>("PropagationNetwork").c_str())
      .def(py::init([](const py::dict& options, std::uint64_t seed) {
             PropagationNetwork network(options_of<PropagationNetworkOptions>(options));
             Vector<T> parameters = network.initial_parameters<T>(seed);
             return std::make_unique<State>(State{std::move(network), std::move(parameters)});
           }),
           py::arg("options"), py::arg("seed"))
      .def_static(
          "of_numbers",
          [](const py::dict& options, Vector<T> numbers) {
            PropagationNetwork network(options_of<PropagationNetworkOptions>(options));
            const Index size = network.layout().size();
            require(numbers.size() == size, "parameters",
                    "the " + std::to_string(size) + " numbers of these options", numbers.size());
            return std::make_unique<State>(State{std::move(network), std::move(numbers)});
          },
          py::arg("options"), py::arg("numbers").noconvert())
      .def_property_readonly("options", [](const State& s) { return options_as_dict(s.network.options()); })
      .def_property_readonly("entries", [](const State& s) { return entries(s.network.layout()); })
      .def_property_readonly("parameters",
                             [](py::object self) { return writable(self.cast<State&>().parameters, self); })
      .def(
          "train",
          [](State& s, const py::tuple& data, const py::dict& options) {
            const TrainingOptions how = training_options(options);
            const PropagationData<T> rows = data_of<T>(data);
            return trained([&](const Execution& run) {
              return train<T>(s.network, s.parameters, rows, how, run, &s.optimizer);
            });
          },
          py::arg("data"), py::arg("options"), "The history.")
      .def(
          "predict",
          [](const State& s, const Points<T>& X, Index batch_size, const std::optional<Points<T>>& context,
             const Support& support) {
            return run_without_gil([&](const Execution& run) {
              std::optional<Values<T>> before;
              if (context) before.emplace(*context);
              return predict<T>(s.network, s.parameters, X, batch_size, before ? &*before : nullptr, support,
                                run);
            });
          },
          py::arg("X"), py::arg("batch_size"), py::arg("context"), py::arg("support"))
      .def(
          "forward",
          [](const State& s, Pass& pass, const Points<T>& X, const Support& support) {
            return run_without_gil([&](const Execution& run) {
              const std::lock_guard mine(pass.lock);
              return Matrix<T>(s.network.template forward<T>(s.parameters, X, support, pass.trace, run));
            });
          },
          py::arg("trace"), py::arg("X"), py::arg("support"))
      .def(
          "backward",
          [](const State& s, Pass& pass, const Points<T>& grad_output) {
            return run_without_gil([&](const Execution& run) {
              const std::lock_guard mine(pass.lock);
              Vector<T> gradient = Vector<T>::Zero(s.parameters.size());
              Matrix<T> grad_X;
              s.network.template backward<T>(s.parameters, pass.trace, grad_output, gradient, &grad_X, run);
              return std::pair(std::move(grad_X), std::move(gradient));
            });
          },
          py::arg("trace"), py::arg("grad_output"), "(dL/dX, dL/dparameters)")
      .def(
          "hidden",
          [](const State&, Pass& pass, Index layer) {
            const std::lock_guard mine(pass.lock);
            const Index n = std::ssize(pass.trace.layers);
            require(layer >= 0 && layer <= n, "layer", "in [0, " + std::to_string(n) + "]", layer);
            return layer == n ? pass.trace.hidden : pass.trace.layers[static_cast<std::size_t>(layer)].x;
          },
          py::arg("trace"), py::arg("layer"), "H before that module; after the last one.")
      .def(
          "weights",
          [](const State& s, Pass& pass, Index layer, Index head) {
            return run_without_gil([&](const Execution& run) {
              const std::lock_guard mine(pass.lock);
              const AttentionLayer& module = s.layer(layer);
              return module.template weights<T>(s.parameters,
                                                pass.trace.layers.at(static_cast<std::size_t>(layer)),
                                                pass.trace.who, 0, head, run);
            });
          },
          py::arg("trace"), py::arg("layer"), py::arg("head"))
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
          [](const State& s, const std::string& path, const std::optional<Matrix<T>>& context,
             const std::optional<Graph>& graph, const std::string& metadata) {
            save_model(path, s.network, s.parameters, {context.value_or(Matrix<T>()), graph}, metadata);
          },
          py::arg("path"), py::arg("context"), py::arg("graph"), py::arg("metadata"));
  m.def(
      name_of_dtype<T>("load_propagation_network").c_str(),
      [](const std::string& path) {
        SavedPropagationNetwork<T> saved = load_propagation_network<T>(path);
        std::optional<Matrix<T>> context;
        if (saved.context.X.size()) context = std::move(saved.context.X);
        return py::make_tuple(
            std::make_unique<State>(State{std::move(saved.network), std::move(saved.parameters)}),
            std::move(context), std::move(saved.context.graph), std::move(saved.metadata));
      },
      py::arg("path"), "(network, context or None, graph or None, metadata)");
}

}  // namespace

void bind_propagation_network(py::module_& m) {
  bind_network<float>(m);
  bind_network<double>(m);
}

}  // namespace likewise::python
