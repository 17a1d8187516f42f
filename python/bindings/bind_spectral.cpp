// Spectral embedding and spectral clustering.
#include <pybind11/operators.h>
#include <pybind11/stl.h>

#include <likewise/algorithms/spectral_clustering.hpp>

#include "arrays.hpp"
#include "execution.hpp"
#include "pickled_operator.hpp"

namespace likewise::python {

namespace {

template <class T> py::tuple embedding_state(const SpectralEmbedding<T>& fit) {
  const Eigenpairs<T>& s = fit.spectrum;
  return py::make_tuple(operator_recipe(fit.P), s.values, s.vectors, s.residuals, s.n_components, s.report,
                        fit.embedding);
}

template <class T> SpectralEmbedding<T> embedding_from_state(const py::tuple& t) {
  return {operator_from_recipe<T>(t[0].cast<py::tuple>()),
          {.values = t[1].cast<Vector<double>>(),
           .vectors = t[2].cast<Matrix<T>>(),
           .residuals = t[3].cast<Vector<double>>(),
           .n_components = t[4].cast<Index>(),
           .report = t[5].cast<SpectrumReport>()},
          t[6].cast<Matrix<T>>()};
}

template <class T> void bind_embedding(py::module_& m) {
  using Fit = SpectralEmbedding<T>;
  py::class_<Fit>(m, name_of_dtype<T>("SpectralEmbedding").c_str())
      .def_property_readonly("mechanism", [](const Fit& fit) { return fit.P.mechanism(); })
      .def_property_readonly("bandwidth", [](const Fit& fit) { return fit.P.bandwidth(); })
      .def_property_readonly(
          "keys", [](const py::object& self) { return view(self.cast<const Fit&>().P.keys(), self); })
      .def_property_readonly("eigenvalues", [](const Fit& fit) { return fit.spectrum.values; })
      .def_property_readonly("column_eigenvalues", &Fit::column_eigenvalues)
      .def_property_readonly("residuals", [](const Fit& fit) { return fit.spectrum.residuals; })
      .def_property_readonly("isolated", [](const Fit& fit) { return fit.P.isolated(); })
      .def_property_readonly("n_graph_components", [](const Fit& fit) { return fit.spectrum.n_components; })
      .def_property_readonly("report", [](const Fit& fit) { return fit.spectrum.report; })
      .def_property_readonly("embedding", [](const Fit& fit) { return fit.embedding; })
      .def(
          "transform",
          [](const Fit& fit, const Points<T>& X) {
            return run_without_gil([&](const Execution& run) { return fit.transform(X, run); });
          },
          py::arg("X").noconvert())
      .def(py::pickle(&embedding_state<T>, &embedding_from_state<T>));
  m.def(
      "spectral_embedding",
      [](const Points<T>& X, const Mechanism& mechanism, Index n_components, bool drop_first, double tol) {
        const SpectralEmbeddingOptions o{.n_components = n_components,
                                         .mechanism = mechanism,
                                         .drop_first = drop_first,
                                         .spectrum = {.tol = tol}};
        return run_without_gil([&](const Execution& run) { return fit_spectral_embedding<T>(X, o, run); });
      },
      py::arg("X").noconvert(), py::arg("mechanism"), py::arg("n_components"), py::arg("drop_first"),
      py::arg("tol"));
}

py::tuple labels_state(const EmbeddingLabels& c) {
  return py::make_tuple(c.kind, c.labels, c.centers, c.rotation, c.scale, c.inertia);
}

EmbeddingLabels labels_from_state(const py::tuple& t) {
  return {t[0].cast<std::string>(),    t[1].cast<std::vector<Index>>(), t[2].cast<Matrix<double>>(),
          t[3].cast<Matrix<double>>(), t[4].cast<Vector<double>>(),     t[5].cast<double>()};
}

template <class T> void bind_clustering(py::module_& m) {
  using Fit = SpectralClustering<T>;
  py::class_<Fit>(m, name_of_dtype<T>("SpectralClustering").c_str())
      .def_readonly("map", &Fit::map)
      .def_readonly("n_clusters", &Fit::n_clusters)
      .def_readonly("gap_stands_out", &Fit::gap_stands_out)
      .def_property_readonly("labels", [](const Fit& fit) { return moved(fit.labels()); })
      .def(
          "predict",
          [](const Fit& fit, const Points<T>& X) {
            return moved(run_without_gil([&](const Execution& run) { return fit.predict(X, run); }));
          },
          py::arg("X").noconvert())
      .def(
          "predict_embedded",
          [](const Fit& fit, const Matrix<T>& embedding) {
            return moved(
                run_without_gil([&](const Execution& run) { return fit.clusters.predict(embedding, run); }));
          },
          py::arg("embedding"))
      .def(py::pickle(
          [](const Fit& fit) {
            return py::make_tuple(embedding_state(fit.map), labels_state(fit.clusters), fit.n_clusters,
                                  fit.gap_stands_out);
          },
          [](const py::tuple& t) {
            return Fit{embedding_from_state<T>(t[0].cast<py::tuple>()),
                       labels_from_state(t[1].cast<py::tuple>()), t[2].cast<Index>(), t[3].cast<bool>()};
          }));
  m.def(
      "spectral_clustering",
      [](const Points<T>& X, const Mechanism& mechanism, Index n_clusters, Index n_components,
         const std::string& assign_labels, int n_init, std::uint64_t seed, double tol) {
        const SpectralClusteringOptions o{.n_clusters = n_clusters,
                                          .n_components = n_components,
                                          .mechanism = mechanism,
                                          .assign_labels = assign_labels,
                                          .n_init = n_init,
                                          .seed = seed,
                                          .spectrum = {.tol = tol}};
        return run_without_gil([&](const Execution& run) { return fit_spectral_clustering<T>(X, o, run); });
      },
      py::arg("X").noconvert(), py::kw_only(), py::arg("mechanism"), py::arg("n_clusters"),
      py::arg("n_components"), py::arg("assign_labels"), py::arg("n_init"), py::arg("seed"), py::arg("tol"));
}

void bind_report(py::module_& m) {
  py::class_<SpectrumReport, IterationReport> report(
      m, "SpectrumReport",
      R"(An IterationReport of eigenpairs: n_iter restarts or rounds, residual the largest.

certificate : str, what says that none was missed, the strongest first: "whole matrix" (all were computed), "norm"
    (they lie at the bound of the spectrum), "trace" (the squared eigenvalues leave no room), "inertia" (Sylvester's
    count by a factorization), "probe" (random columns hold nothing larger); "" where converged is False)");
  report.def_readonly("certificate", &SpectrumReport::certificate);
  report.def("__repr__", [](const SpectrumReport& r) {
    return py::str("SpectrumReport(n_iter={}, residual={!r}, converged={}, solver={!r}, certificate={!r})")
        .format(r.n_iter, r.residual, r.converged, r.solver, r.certificate);
  });
  report.def(py::self == py::self);
  report.def(py::pickle(
      [](const SpectrumReport& r) {
        return py::make_tuple(r.n_iter, r.residual, r.converged, r.solver, r.certificate);
      },
      [](const py::tuple& t) {
        return SpectrumReport{
            {t[0].cast<int>(), t[1].cast<double>(), t[2].cast<bool>(), t[3].cast<std::string>()},
            t[4].cast<std::string>()};
      }));
}

}  // namespace

void bind_spectral(py::module_& m) {
  bind_report(m);
  bind_embedding<float>(m);
  bind_embedding<double>(m);
  bind_clustering<float>(m);
  bind_clustering<double>(m);
}

}  // namespace likewise::python
