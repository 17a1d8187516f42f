// Keys that many calls ask: an estimator's training points, with what is found out about them once.
#include <pybind11/eigen.h>

#include <likewise/operator.hpp>

#include "arrays.hpp"
#include "bind_fitted.hpp"
#include "execution.hpp"

namespace likewise::python {

namespace {

template <class T> void bind_keys_of(py::module_& m) {
  using Keys = PreparedKeys<T>;
  py::class_<Keys> keys(m, name_of_dtype<T>("PreparedKeys").c_str());
  keys.def_property_readonly("metric", &Keys::metric);
  keys.def_property_readonly(
      "points", [](const py::object& self) { return view(self.cast<const Keys&>().points(), self); });
  keys.def_property_readonly("nbytes", &Keys::bytes, "Points, lifts and tree that are held by now");
  def_pickle_by<Keys>(keys);
  m.def(
      "prepare_keys",
      [](const Metric& metric, const Points<T>& X) {
        return run_without_gil([&](const Execution& run) { return Keys(metric, X, {}, run); });
      },
      py::arg("metric"), py::arg("X").noconvert(), "Copies X");

  using Keyed = KeyedMechanism<T>;
  py::class_<Keyed> keyed(m, name_of_dtype<T>("KeyedMechanism").c_str());
  keyed.def_property_readonly("mechanism", &mechanism_of<T>);
  keyed.def_property_readonly(
      "points", [](const py::object& self) { return view(self.cast<const Keyed&>().keys().points(), self); });
  keyed.def_property_readonly("nbytes", [](const Keyed& self) { return self.keys().bytes(); });
  def_pickle_by<Keyed>(keyed);
  m.def(
      "keyed_mechanism",
      [](const Mechanism& mechanism, const Points<T>& X) {
        return run_without_gil([&](const Execution& run) {
          return Keyed(mechanism, PreparedKeys<T>(mechanism.metric, X, {}, run));
        });
      },
      py::arg("mechanism"), py::arg("X").noconvert(), "Copies X");
}

}  // namespace

void bind_keys(py::module_& m) {
  bind_keys_of<float>(m);
  bind_keys_of<double>(m);
}

}  // namespace likewise::python
