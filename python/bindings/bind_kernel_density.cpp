// Kernel density.
#include <likewise/algorithms/kernel_density.hpp>

#include "arrays.hpp"
#include "bind_fitted.hpp"
#include "execution.hpp"

namespace likewise::python {

namespace {

template <class T> void bind_density(py::module_& m) {
  using Fitted = KernelDensity<T>;
  py::class_<Fitted> cls(m, name_of_dtype<T>("KernelDensity").c_str());
  cls.def_property_readonly("mechanism", [](const Fitted& f) { return mechanism_of(f.keyed); });
  cls.def_readonly("bandwidth", &Fitted::bandwidth);
  cls.def_property_readonly("points", [](const py::object& self) {
    return view(self.cast<const Fitted&>().keyed.keys().points(), self);
  });
  cls.def_property_readonly("log_key_weights", [](const py::object& self) {
    return view(self.cast<const Fitted&>().keyed.keys().log_weights(), self);
  });
  cls.def_property_readonly("nbytes", [](const Fitted& f) { return f.keyed.keys().bytes(); });
  def_fitted_pickle(cls, &Fitted::keyed, &Fitted::log_constant, &Fitted::bandwidth);
  cls.def(
      "score_samples",
      [](const Fitted& fitted, const Points<T>& X) {
        return run_without_gil([&](const Execution& run) { return fitted.score_samples(X, run); });
      },
      py::arg("X").noconvert());
  m.def(
      "fit_kernel_density",
      [](const Points<T>& X, const Mechanism& mechanism, const Vector<double>& sample_weight) {
        const KernelDensityOptions o{mechanism.metric, mechanism.kernel, {}, sample_weight};
        return run_without_gil([&](const Execution& run) { return fit_kernel_density<T>(X, o, run); });
      },
      py::arg("X").noconvert(), py::arg("mechanism"), py::arg("sample_weight"));
}

}  // namespace

void bind_kernel_density(py::module_& m) {
  bind_density<float>(m);
  bind_density<double>(m);
}

}  // namespace likewise::python
