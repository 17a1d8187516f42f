// Fuzzy c-means: centers and memberships.
#include <pybind11/eigen.h>
#include <pybind11/stl.h>

#include <likewise/algorithms/fuzzy_c_means.hpp>

#include "casters.hpp"
#include "execution.hpp"

namespace likewise::python {

namespace {

template <class T> void bind_fuzzy_c_means_of(py::module_& m) {
  m.def(
      "fit_fuzzy_c_means",
      [](const Points<T>& X, Index n_clusters, double fuzziness, int n_init, int max_iter, double tol,
         std::uint64_t seed, const std::optional<Matrix<double>>& init, const Vector<double>& weights) {
        FuzzyCMeans<T> found = run_without_gil([&](const Execution& run) {
          return fit_fuzzy_c_means<T>(X, {n_clusters, fuzziness, n_init, max_iter, tol, seed, init}, weights,
                                      run);
        });
        return py::make_tuple(found.mechanism, std::move(found.cluster_centers), std::move(found.memberships),
                              found.objective, found.report);
      },
      py::arg("X").noconvert(), py::arg("n_clusters"), py::arg("m"), py::arg("n_init"), py::arg("max_iter"),
      py::arg("tol"), py::arg("seed"), py::arg("init"), py::arg("weights"),
      "(mechanism, centers, memberships, objective, report)");
}

}  // namespace

void bind_fuzzy_c_means(py::module_& m) {
  bind_fuzzy_c_means_of<float>(m);
  bind_fuzzy_c_means_of<double>(m);
}

}  // namespace likewise::python
