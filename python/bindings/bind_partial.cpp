// Partial results, for float32 and float64.
#include <pybind11/eigen.h>

#include <likewise/partial.hpp>

#include "arrays.hpp"
#include "casters.hpp"
#include "execution.hpp"

namespace likewise::python {

namespace {

template <class T> void bind_partials(py::module_& m) {
  py::class_<Partial<T>>(m, name_of_dtype<T>("Partial").c_str())
      .def(py::init([](Vector<double> log_reference, Vector<double> mass, Matrix<T> sum) {
             return Partial<T>{std::move(log_reference), std::move(mass), std::move(sum)};
           }),
           py::arg("log_reference"), py::arg("mass"), py::arg("sum"))
      .def_property_readonly(
          "log_reference",
          [](const py::object& self) { return view(self.cast<const Partial<T>&>().log_reference, self); })
      .def_property_readonly(
          "mass", [](const py::object& self) { return view(self.cast<const Partial<T>&>().mass, self); })
      .def_property_readonly(
          "sum", [](const py::object& self) { return view(self.cast<const Partial<T>&>().sum, self); });
  m.def(
      "partial",
      [](const Mechanism& mechanism, const Points<T>& X, const Points<T>& Z, const Values<T>& V,
         const Vector<double>& log_key_weights) {
        return run_without_gil(
            [&](const Execution& run) { return partial<T>(mechanism, X, Z, V, log_key_weights, run); });
      },
      py::arg("mechanism"), py::arg("X").noconvert(), py::arg("Z").noconvert(), py::arg("V").noconvert(),
      py::arg("log_key_weights"));
  m.def("merge", &merge<T>, py::arg("a"), py::arg("b"));
  m.def("finish", &finish<T>, py::arg("mechanism"), py::arg("part"));
}

}  // namespace

void bind_partial(py::module_& m) {
  bind_partials<float>(m);
  bind_partials<double>(m);
}

}  // namespace likewise::python
