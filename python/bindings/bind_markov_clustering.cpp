// Markov clustering, and the inflation of any map.
#include <pybind11/eigen.h>
#include <pybind11/stl.h>

#include <likewise/algorithms/markov_clustering.hpp>
#include <likewise/inflation.hpp>

#include "arrays.hpp"
#include "casters.hpp"
#include "execution.hpp"

namespace likewise::python {

namespace {

template <class T> void bind_markov_clustering_of(py::module_& m) {
  m.def(
      "fit_markov_clustering",
      [](const Points<T>& X, const Mechanism& mechanism, double inflation, int expansion, double prune,
         int max_iter, double tol) {
        MarkovClustering<T> found = run_without_gil([&](const Execution& run) {
          return fit_markov_clustering<T>(X, {mechanism, inflation, expansion, prune, max_iter, tol}, run);
        });
        return py::make_tuple(found.mechanism, moved(std::move(found.labels)), found.n_clusters,
                              csr_matrix(found.flow), found.pruned, found.report);
      },
      py::arg("X").noconvert(), py::arg("mechanism"), py::arg("inflation"), py::arg("expansion"),
      py::arg("prune"), py::arg("max_iter"), py::arg("tol"),
      "(mechanism, labels, n_clusters, flow, pruned, report)");
  m.def(
      "inflate",
      [](const LinearMap<T>& P, double r) {
        return run_without_gil([&](const Execution& run) { return inflate(P, r, run); });
      },
      py::arg("P"), py::arg("r"));
  m.def(
      "dense_of_map",
      [](const LinearMap<T>& P) {
        return run_without_gil([&](const Execution& run) { return dense(P, run); });
      },
      py::arg("P"));
}

}  // namespace

void bind_markov_clustering(py::module_& m) {
  bind_markov_clustering_of<float>(m);
  bind_markov_clustering_of<double>(m);
}

}  // namespace likewise::python
