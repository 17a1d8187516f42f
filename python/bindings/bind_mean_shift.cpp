// Mean shift clustering and its bandwidth estimate.
#include <pybind11/eigen.h>
#include <pybind11/stl.h>

#include <likewise/algorithms/mean_shift.hpp>

#include "arrays.hpp"
#include "casters.hpp"
#include "execution.hpp"

namespace likewise::python {

namespace {

template <class T> void bind_fit(py::module_& m) {
  m.def(
      "fit_mean_shift",
      [](const Points<T>& X, const Mechanism& mechanism, const std::optional<Matrix<double>>& seeds,
         bool bin_seeding, Index min_bin_freq, bool cluster_all, int max_iter) {
        const MeanShiftOptions options{.metric = mechanism.metric,
                                       .kernel = mechanism.kernel,
                                       .seeds = seeds,
                                       .bin_seeding = bin_seeding,
                                       .min_bin_freq = min_bin_freq,
                                       .cluster_all = cluster_all,
                                       .max_iter = max_iter};
        MeanShift<T> found =
            run_without_gil([&](const Execution& run) { return fit_mean_shift<T>(X, options, run); });
        return py::make_tuple(found.mechanism, std::move(found.cluster_centers),
                              moved(std::move(found.labels)), found.report);
      },
      py::arg("X").noconvert(), py::arg("mechanism"), py::arg("seeds"), py::arg("bin_seeding"),
      py::arg("min_bin_freq"), py::arg("cluster_all"), py::arg("max_iter"),
      "(mechanism, cluster_centers, labels, report)");
  m.def(
      "estimate_bandwidth",
      [](const Points<T>& X, double quantile, const Metric& metric) {
        return run_without_gil(
            [&](const Execution& run) { return estimate_bandwidth<T>(X, quantile, metric, run); });
      },
      py::arg("X").noconvert(), py::arg("quantile"), py::arg("metric"));
}

}  // namespace

void bind_mean_shift(py::module_& m) {
  bind_fit<float>(m);
  bind_fit<double>(m);
}

}  // namespace likewise::python
