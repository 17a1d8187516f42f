#include <likewise/version.hpp>

#include "bindings.hpp"

namespace likewise::python {

void bind_version(pybind11::module_& m) {
  m.def("version", &likewise::version, "The version of the linked C++ library, such as '0.1.0'.");
  m.def(
      "build",
      [] {
        using namespace pybind11::literals;
        return pybind11::dict("compiler"_a = LIKEWISE_COMPILER, "flags"_a = LIKEWISE_FLAGS);
      },
      "How this library was compiled: compiler and flags, as reports of measurements quote them.");
}

}  // namespace likewise::python
