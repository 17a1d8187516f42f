// Label propagation and label spreading.
#include <pybind11/eigen.h>
#include <pybind11/stl.h>

#include <likewise/algorithms/label_propagation.hpp>

#include "casters.hpp"
#include "execution.hpp"

namespace likewise::python {

namespace {

/// (mechanism, label_distributions, unreached, report, prediction)
template <class T> py::tuple tuple_of(PropagatedLabels<T> labels) {
  py::array_t<bool> unreached(static_cast<py::ssize_t>(labels.unreached.size()));
  for (std::size_t i = 0; i < labels.unreached.size(); ++i)
    unreached.mutable_at(static_cast<py::ssize_t>(i)) = labels.unreached[i];
  return py::make_tuple(labels.mechanism, std::move(labels.label_distributions), unreached, labels.report,
                        labels.prediction);
}

template <class T> void bind_label_fits(py::module_& m) {
  m.def(
      "fit_label_propagation",
      [](const Points<T>& X, const std::vector<Index>& labels, Index n_classes, const Mechanism& mechanism,
         const std::string& solver, int max_iter, double tol) {
        return tuple_of(run_without_gil([&](const Execution& run) {
          return fit_label_propagation<T>(X, labels, n_classes, {mechanism, solver, max_iter, tol}, run);
        }));
      },
      py::arg("X").noconvert(), py::arg("labels"), py::arg("n_classes"), py::arg("mechanism"),
      py::arg("solver"), py::arg("max_iter"), py::arg("tol"),
      "(mechanism, label_distributions, unreached, report, prediction)");
  m.def(
      "fit_label_spreading",
      [](const Points<T>& X, const std::vector<Index>& labels, Index n_classes, const Mechanism& mechanism,
         const std::string& solver, int max_iter, double tol, double alpha) {
        return tuple_of(run_without_gil([&](const Execution& run) {
          return fit_label_spreading<T>(X, labels, n_classes, {mechanism, alpha, solver, max_iter, tol}, run);
        }));
      },
      py::arg("X").noconvert(), py::arg("labels"), py::arg("n_classes"), py::arg("mechanism"),
      py::arg("solver"), py::arg("max_iter"), py::arg("tol"), py::arg("alpha"),
      "(mechanism, label_distributions, unreached, report, prediction)");
  m.def(
      "label_predict_proba",
      [](const Points<T>& X, const KeyedMechanism<T>& prediction, const Values<T>& label_distributions) {
        return run_without_gil(
            [&](const Execution& run) { return predict_labels<T>(prediction, label_distributions, X, run); });
      },
      py::arg("X").noconvert(), py::arg("prediction"), py::arg("label_distributions").noconvert());
}

}  // namespace

void bind_labels(py::module_& m) {
  bind_label_fits<float>(m);
  bind_label_fits<double>(m);
  m.def("label_prediction", &label_prediction, py::arg("mechanism"));
}

}  // namespace likewise::python
