// The table of contents of the extension likewise._core.
#include "bindings.hpp"

PYBIND11_MODULE(_core, m) {
  m.doc() = "The compiled part of likewise; use the package likewise instead.";
  likewise::python::bind_version(m);
}
