// C++ exceptions as Python ones.
#include <likewise/error.hpp>

#include "bindings.hpp"

namespace likewise::python {

namespace {
/// What it says, which names a file as the system has it: no UTF-8 always.
py::object text_of(const std::exception& error) {
  const std::string said = error.what();
  return py::reinterpret_steal<py::object>(
      PyUnicode_DecodeUTF8(said.data(), static_cast<py::ssize_t>(said.size()), "backslashreplace"));
}

void raise(const char* name, const std::exception& error) {
  const py::object type = py::module_::import("likewise._errors").attr(name);
  py::set_error(type, text_of(error));
}
}  // namespace

void bind_errors(py::module_&) {
  py::register_exception_translator([](std::exception_ptr thrown) {
    try {
      std::rethrow_exception(thrown);
    } catch (const InvalidArgument& error) {
      py::set_error(PyExc_ValueError, text_of(error));
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
