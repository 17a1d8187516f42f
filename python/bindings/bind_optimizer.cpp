// Steps downhill, for what is learned in Python.
#include <pybind11/eigen.h>

#include <likewise/nn/optimizer.hpp>

#include "bindings.hpp"

namespace likewise::python {

namespace {

/// An optimizer with what it remembers.
struct AdamSteps {
  nn::Adam settings;
  nn::OptimizerState<double> state = {};

  Vector<double> step(const Vector<double>& parameters, const Vector<double>& gradient,
                      double learning_rate) {
    Vector<double> next;
    nn::take_step<double>(settings, learning_rate, gradient, parameters, next, state);
    return next;
  }
};

}  // namespace

void bind_optimizer(py::module_& m) {
  py::class_<AdamSteps>(m, "Adam")
      .def(py::init([](double eps) { return AdamSteps{{.eps = eps}}; }), py::arg("eps") = nn::Adam{}.eps)
      .def("step", &AdamSteps::step, py::arg("parameters"), py::arg("gradient"), py::arg("learning_rate"),
           "The parameters (n,) after one step.");
}

}  // namespace likewise::python
