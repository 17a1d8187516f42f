// One function for each bound concept, each defined in the file of that name; module.cpp calls them in order.
#pragma once

#include <pybind11/pybind11.h>

namespace likewise::python {

void bind_version(pybind11::module_& m);

}  // namespace likewise::python
