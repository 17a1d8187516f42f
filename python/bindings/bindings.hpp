// One function for each bound concept, each defined in the file of that name; module.cpp calls them in order.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <string>

namespace likewise::python {

namespace py = pybind11;

/// "KernelRegression_float32": of what is bound for either dtype by a name of its own.
template <class T> std::string name_of_dtype(const std::string& name) {
  return name + (sizeof(T) == 4 ? "_float32" : "_float64");
}

void bind_version(py::module_& m);
void bind_errors(py::module_& m);
void bind_slots(py::module_& m);
void bind_custom_metric(py::module_& m);
void bind_maps(py::module_& m);
void bind_execution(py::module_& m);
void bind_bandwidth(py::module_& m);
void bind_equilibrium(py::module_& m);
void bind_neighbors(py::module_& m);
void bind_nn(py::module_& m);
void bind_in_context(py::module_& m);
void bind_keys(py::module_& m);
void bind_operator(py::module_& m);
void bind_optimizer(py::module_& m);
void bind_kmeans(py::module_& m);
void bind_spectral(py::module_& m);
void bind_diffusion_maps(py::module_& m);
void bind_attention(py::module_& m);
void bind_gradient(py::module_& m);
void bind_many_operators(py::module_& m);
void bind_hopfield(py::module_& m);
void bind_labels(py::module_& m);
void bind_mean_shift(py::module_& m);
void bind_fuzzy_c_means(py::module_& m);
void bind_markov_clustering(py::module_& m);
void bind_metric_learning(py::module_& m);
void bind_kernel_regression(py::module_& m);
void bind_k_neighbors(py::module_& m);
void bind_kernel_density(py::module_& m);
void bind_partial(py::module_& m);
void bind_propagate(py::module_& m);
void bind_propagation_network(py::module_& m);
void bind_spectrum(py::module_& m);

}  // namespace likewise::python
