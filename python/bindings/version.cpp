#include <likewise/version.hpp>

#include "bindings.hpp"

namespace likewise::python {

void bind_version(pybind11::module_& m) {
  m.def("version", &likewise::version, "The version of the linked C++ library, such as '0.1.0'.");
}

}  // namespace likewise::python
