// How a mechanism and its slots cross: bound functions simply take and return `const Mechanism&` and the
// slots. Included by every file that binds such a function.
#pragma once

#include <pybind11/stl.h>

#include <likewise/mechanism.hpp>

#include "bindings.hpp"

namespace likewise::python {

/// The leaf object itself where the support is one leaf.
py::object support_object(const Support& support);

}  // namespace likewise::python

/// The Python Mechanism is a plain Python value (python/likewise/_mechanism.py) that holds slot values.
template <> struct pybind11::detail::type_caster<likewise::Mechanism> {
  PYBIND11_TYPE_CASTER(likewise::Mechanism, const_name("likewise.Mechanism"));

  bool load(handle object, bool) {
    if (!isinstance(object, mechanism_class())) return false;
    value.metric = object.attr("metric").cast<likewise::Metric>();
    value.kernel = object.attr("kernel").cast<likewise::Kernel>();
    value.support = object.attr("support").cast<likewise::Support>();
    value.normalization = object.attr("normalization").cast<likewise::Normalization>();
    value.propagation = object.attr("propagation").cast<likewise::Propagation>();
    value.empty_row = likewise::empty_row_from_name(object.attr("empty_row").cast<std::string>());
    return true;
  }
  static handle cast(const likewise::Mechanism& m, return_value_policy, handle) {
    return mechanism_class()(arg("metric") = m.metric, arg("kernel") = m.kernel,
                             arg("support") = likewise::python::support_object(m.support),
                             arg("normalization") = m.normalization, arg("propagation") = m.propagation,
                             arg("empty_row") = likewise::to_string(m.empty_row))
        .release();
  }

 private:
  static object mechanism_class() { return module_::import("likewise._mechanism").attr("Mechanism"); }
};
