// The rules that find a bandwidth, and what they found.
#include <pybind11/eigen.h>

#include <likewise/select_bandwidth.hpp>

#include "arrays.hpp"
#include "casters.hpp"
#include "execution.hpp"

namespace likewise::python {

namespace {

void bind_selected(py::module_& m) {
  py::class_<SelectedBandwidth> cls(m, "SelectedBandwidth", R"(What a bandwidth rule found.

length : float; rule : str
intrinsic_dimension : float or None, with "bgh"
row_scale, key_scale : arrays (n,) of lengths s_i, s_j, empty where the rule gives one length for all; the kernel
    then sees d^2 / (s_i s_j) with the bandwidth `length`
grid, curve : arrays, the lengths that were tried and the rule's objective at each)");
  cls.def_readonly("length", &SelectedBandwidth::length);
  cls.def_readonly("rule", &SelectedBandwidth::rule);
  cls.def_readonly("intrinsic_dimension", &SelectedBandwidth::intrinsic_dimension);
  const auto def_array = [&cls](const char* name, auto member) {
    cls.def_property_readonly(name, [member](const py::object& self) {
      const auto& array = self.cast<const SelectedBandwidth&>().*member;
      return view(array.data(), static_cast<Index>(array.size()), self);
    });
  };
  def_array("row_scale", &SelectedBandwidth::row_scale);
  def_array("key_scale", &SelectedBandwidth::key_scale);
  def_array("row_offset", &SelectedBandwidth::row_offset);
  def_array("grid", &SelectedBandwidth::grid);
  def_array("curve", &SelectedBandwidth::curve);
  cls.attr("__module__") = "likewise";
  cls.def("__repr__", [](const SelectedBandwidth& found) {
    return "<" + found.rule + " bandwidth " + py::repr(py::cast(found.length)).cast<std::string>() + ">";
  });
}

BandwidthOptions options(const Vector<double>& log_key_weights, Index n_neighbors,
                         std::optional<double> perplexity, std::uint64_t seed, Index max_points) {
  return {log_key_weights, n_neighbors, perplexity, seed, max_points};
}

template <class T> void bind_rules(py::module_& m) {
  m.def(
      "select_bandwidth",
      [](const std::string& rule, const Metric& metric, const Kernel& kernel, const Points<T>& Z,
         const Vector<double>& log_key_weights, Index n_neighbors, std::optional<double> perplexity,
         std::uint64_t seed, Index max_points) {
        return run_without_gil([&](const Execution& run) {
          return select_bandwidth<T>(rule, metric, kernel, Z,
                                     options(log_key_weights, n_neighbors, perplexity, seed, max_points),
                                     run);
        });
      },
      py::arg("rule"), py::arg("metric"), py::arg("kernel"), py::arg("Z").noconvert(),
      py::arg("log_key_weights"), py::arg("n_neighbors"), py::arg("perplexity"), py::arg("seed"),
      py::arg("max_points"));
  m.def(
      "loo_bandwidth",
      [](const Mechanism& mechanism, const Points<T>& Z, const Values<T>& Y, bool log_loss,
         const Vector<double>& log_key_weights) {
        return run_without_gil([&](const Execution& run) {
          return loo_bandwidth<T>(mechanism, Z, Y, log_loss ? LooLoss::log_loss : LooLoss::squared_error,
                                  {.log_key_weights = log_key_weights}, run);
        });
      },
      py::arg("mechanism"), py::arg("Z").noconvert(), py::arg("Y").noconvert(), py::arg("log_loss"),
      py::arg("log_key_weights"));
}

}  // namespace

void bind_bandwidth(py::module_& m) {
  bind_selected(m);
  bind_rules<float>(m);
  bind_rules<double>(m);
}

}  // namespace likewise::python
