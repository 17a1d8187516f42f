// k-means.
#include <likewise/kmeans.hpp>

#include <pybind11/eigen.h>

#include "arrays.hpp"
#include "execution.hpp"

namespace likewise::python {

namespace {

template <class T> void bind_one(py::module_& m) {
  m.def(
      "kmeans",
      [](const Points<T>& X, Index n_clusters, int n_init, int max_iter, double tol, std::uint64_t seed) {
        const KMeansOptions o{n_clusters, n_init, max_iter, tol, seed};
        KMeans<T> fit = run_without_gil([&](const Execution& run) { return kmeans<T>(X, o, run); });
        return py::make_tuple(fit.cluster_centers, moved(std::move(fit.labels)), fit.inertia, fit.report);
      },
      py::arg("X").noconvert(), py::kw_only(), py::arg("n_clusters"), py::arg("n_init") = 10,
      py::arg("max_iter") = 300, py::arg("tol") = 1e-4, py::arg("seed") = 0);
}

}  // namespace

void bind_kmeans(py::module_& m) {
  bind_one<float>(m);
  bind_one<double>(m);
}

}  // namespace likewise::python
