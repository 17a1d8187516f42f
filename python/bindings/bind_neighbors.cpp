// Nearest neighbors and neighbors within a radius.
#include <pybind11/eigen.h>

#include <likewise/neighbor_count.hpp>
#include <likewise/neighbors.hpp>

#include "arrays.hpp"
#include "casters.hpp"
#include "execution.hpp"

namespace likewise::python {

namespace {

/// Tables of queries (n, d) and keys (m, d) of one dtype.
template <class T> void bind_tables(py::module_& m) {
  m.def(
      "kneighbors",
      [](const Metric& metric, const Points<T>& X, const Points<T>& Z, Index n_neighbors,
         const std::string& algorithm, bool exclude_self) {
        NeighborTable<T> table = run_without_gil([&](const Execution& run) {
          return kneighbors<T>(metric, X, Z, n_neighbors, {algorithm, exclude_self}, run);
        });
        return py::make_tuple(std::move(table.distances), std::move(table.indices), table.algorithm);
      },
      py::arg("metric"), py::arg("X").noconvert(), py::arg("Z").noconvert(), py::arg("n_neighbors"),
      py::arg("algorithm") = "auto", py::arg("exclude_self") = false,
      "(distances (n, k), indices (n, k), algorithm)");
  m.def(
      "kneighbors_among",
      [](const PreparedKeys<T>& keys, const Points<T>& X, Index n_neighbors, const std::string& algorithm,
         bool exclude_self) {
        NeighborTable<T> table = run_without_gil([&](const Execution& run) {
          return kneighbors<T>(keys, X, n_neighbors, {algorithm, exclude_self}, run);
        });
        return py::make_tuple(std::move(table.distances), std::move(table.indices), table.algorithm);
      },
      py::arg("keys"), py::arg("X").noconvert(), py::arg("n_neighbors"), py::arg("algorithm") = "auto",
      py::arg("exclude_self") = false);
  m.def(
      "radius_neighbors",
      [](const Metric& metric, const Points<T>& X, const Points<T>& Z, double radius,
         const std::string& algorithm, bool exclude_self) {
        RadiusTable<T> table = run_without_gil([&](const Execution& run) {
          return radius_neighbors<T>(metric, X, Z, radius, {algorithm, exclude_self}, run);
        });
        return py::make_tuple(moved(std::move(table.distances)), moved(std::move(table.indices)),
                              moved(std::move(table.offsets)), table.algorithm);
      },
      py::arg("metric"), py::arg("X").noconvert(), py::arg("Z").noconvert(), py::arg("radius"),
      py::arg("algorithm") = "auto", py::arg("exclude_self") = false,
      "(distances, indices, offsets (n + 1,), algorithm), rows one after another");
  m.def(
      "radius_neighbors_among",
      [](const PreparedKeys<T>& keys, const Points<T>& X, double radius, const std::string& algorithm,
         bool exclude_self) {
        RadiusTable<T> table = run_without_gil([&](const Execution& run) {
          return radius_neighbors<T>(keys, X, radius, {algorithm, exclude_self}, run);
        });
        return py::make_tuple(moved(std::move(table.distances)), moved(std::move(table.indices)),
                              moved(std::move(table.offsets)), table.algorithm);
      },
      py::arg("keys"), py::arg("X").noconvert(), py::arg("radius"), py::arg("algorithm") = "auto",
      py::arg("exclude_self") = false);
}

}  // namespace

void bind_neighbors(py::module_& m) {
  bind_tables<float>(m);
  bind_tables<double>(m);
  m.def("check_neighbor_count", &check_neighbor_count, py::arg("n_neighbors"), py::arg("n_keys"),
        py::arg("exclude_self") = false, "A ValueError unless there are so many among so many keys.");
}

}  // namespace likewise::python
