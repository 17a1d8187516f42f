// Diffusion maps.
#include <likewise/algorithms/diffusion_maps.hpp>

#include "arrays.hpp"
#include "execution.hpp"
#include "pickled_operator.hpp"

namespace likewise::python {

namespace {

template <class T> void bind_map(py::module_& m) {
  using Fit = DiffusionMap<T>;
  py::class_<Fit>(m, name_of_dtype<T>("DiffusionMap").c_str())
      .def_property_readonly("mechanism", [](const Fit& fit) { return fit.P.mechanism(); })
      .def_property_readonly("bandwidth", [](const Fit& fit) { return fit.P.bandwidth(); })
      .def_readonly("eigenvalues", &Fit::eigenvalues)
      .def_readonly("eigenvectors", &Fit::eigenvectors)
      .def_readonly("embedding", &Fit::embedding)
      .def_readonly("residuals", &Fit::residuals)
      .def_property_readonly("isolated", [](const Fit& fit) { return fit.P.isolated(); })
      .def_readonly("n_graph_components", &Fit::n_graph_components)
      .def_readonly("report", &Fit::report)
      .def(
          "transform",
          [](const Fit& fit, const Points<T>& X) {
            return run_without_gil([&](const Execution& run) { return fit.transform(X, run); });
          },
          py::arg("X").noconvert())
      .def("diffusion_distances",
           [](const Fit& fit) {
             return run_without_gil([&](const Execution& run) { return fit.diffusion_distances(run); });
           })
      .def(py::pickle(
          [](const Fit& fit) {
            return py::make_tuple(operator_recipe(fit.P), fit.eigenvalues, fit.eigenvectors, fit.embedding,
                                  fit.diffusion_time, fit.residuals, fit.n_graph_components, fit.report);
          },
          [](const py::tuple& t) {
            return Fit{operator_from_recipe<T>(t[0].cast<py::tuple>()),
                       t[1].cast<Vector<double>>(),
                       t[2].cast<Matrix<T>>(),
                       t[3].cast<Matrix<T>>(),
                       t[4].cast<double>(),
                       t[5].cast<Vector<double>>(),
                       t[6].cast<Index>(),
                       t[7].cast<SpectrumReport>()};
          }));
  m.def(
      "diffusion_maps",
      [](const Points<T>& X, const Mechanism& mechanism, Index n_components, double diffusion_time,
         double tol) {
        const DiffusionMapsOptions o{.n_components = n_components,
                                     .bandwidth = {},
                                     .diffusion_time = diffusion_time,
                                     .metric = mechanism.metric,
                                     .kernel = mechanism.kernel,
                                     .normalization = mechanism.normalization,
                                     .support = mechanism.support,
                                     .spectrum = {.tol = tol}};
        return run_without_gil([&](const Execution& run) { return fit_diffusion_maps<T>(X, o, run); });
      },
      py::arg("X").noconvert(), py::arg("mechanism"), py::arg("n_components"), py::arg("diffusion_time"),
      py::arg("tol"));
}

}  // namespace

void bind_diffusion_maps(py::module_& m) {
  bind_map<float>(m);
  bind_map<double>(m);
}

}  // namespace likewise::python
