// C++ exceptions as Python ones. InvalidArgument is a std::invalid_argument, which pybind11 makes a
// ValueError.
#include <likewise/error.hpp>

#include "bindings.hpp"

namespace likewise::python {

namespace {
void raise(const char* name, const std::exception& error) {
  const py::object type = py::module_::import("likewise._errors").attr(name);
  py::set_error(type, error.what());
}
}  // namespace

void bind_errors(py::module_&) {
  py::register_exception_translator([](std::exception_ptr thrown) {
    try {
      std::rethrow_exception(thrown);
    } catch (const MemoryLimitError& error) {
      raise("MemoryLimitError", error);
    } catch (const NotConverged& error) {
      raise("ConvergenceError", error);
    } catch (const Interrupted& error) {
      py::set_error(PyExc_KeyboardInterrupt, error.what());
    }
  });
}

}  // namespace likewise::python
