// The vector-Jacobian product, for float32 and float64, as a dict of arrays.
#include <pybind11/eigen.h>
#include <pybind11/stl.h>

#include <likewise/gradient.hpp>

#include "arrays.hpp"
#include "execution.hpp"

namespace likewise::python {

namespace {

template <class T> py::dict as_dict(OperatorGradient<T> gradient) {
  py::dict found;
  const auto put = [&found](const char* name, auto& array) {
    if (array.size()) found[name] = std::move(array);
  };
  put("points", gradient.points);
  put("queries", gradient.queries);
  put("keys", gradient.keys);
  put("values", gradient.values);
  put("log_key_weights", gradient.log_key_weights);
  if (gradient.bandwidth) found["bandwidth"] = *gradient.bandwidth;
  if (gradient.temperature) found["temperature"] = *gradient.temperature;
  py::dict metric;
  for (auto& [name, array] : gradient.metric) metric[py::str(name)] = std::move(array);
  found["metric"] = std::move(metric);
  return found;
}

template <class T> void bind_vjp(py::module_& m) {
  m.def(
      "vjp",
      [](const PropagationOperator<T>& P, const Values<T>& grad_Y, const Values<T>& V,
         const std::optional<py::array_t<T, py::array::c_style>>& Y) {
        std::optional<Values<T>> known;
        if (Y) known.emplace(Eigen::Map<const Matrix<T>>(Y->data(), Y->shape(0), Y->shape(1)));
        return as_dict(
            run_without_gil([&](const Execution& run) { return vjp<T>(P, grad_Y, V, known, run); }));
      },
      py::arg("P"), py::arg("grad_Y").noconvert(), py::arg("V").noconvert(), py::arg("Y") = py::none());
}

}  // namespace

void bind_gradient(py::module_& m) {
  bind_vjp<float>(m);
  bind_vjp<double>(m);
}

}  // namespace likewise::python
