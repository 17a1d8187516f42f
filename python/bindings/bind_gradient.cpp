// Vector-Jacobian products, of one operator and of what is done with it, as dicts of arrays.
#include <pybind11/eigen.h>
#include <pybind11/stl.h>

#include <likewise/gradient_through.hpp>

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
  found["metric"] = parameter_gradients(std::move(gradient.metric));
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

/// (gradient, report, singular)
template <class T> py::tuple as_tuple(ImplicitGradient<T> found) {
  return py::make_tuple(as_dict(std::move(found.gradient)), found.report, found.singular);
}

template <class T> void bind_powers_and_equilibria(py::module_& m) {
  m.def(
      "power_vjp",
      [](const SelfOperator<T>& P, Index t, const Values<T>& grad_Y, const Values<T>& V) {
        return as_dict(
            run_without_gil([&](const Execution& run) { return power_vjp<T>(P, t, grad_Y, V, run); }));
      },
      py::arg("P"), py::arg("t"), py::arg("grad_Y").noconvert(), py::arg("V").noconvert());
  m.def(
      "soft_equilibrium_vjp",
      [](const SelfOperator<T>& P, const Values<T>& grad_F, const Values<T>& F, double alpha, double tol,
         int max_iter, Index eliminate_up_to) {
        return as_tuple(run_without_gil([&](const Execution& run) {
          return soft_equilibrium_vjp<T>(P, grad_F, F, alpha, {tol, max_iter, eliminate_up_to}, run);
        }));
      },
      py::arg("P"), py::arg("grad_F").noconvert(), py::arg("F").noconvert(), py::arg("alpha"), py::arg("tol"),
      py::arg("max_iter"), py::arg("eliminate_up_to"));
  m.def(
      "clamped_equilibrium_vjp",
      [](const SelfOperator<T>& P, const Values<T>& grad_F, const Values<T>& F,
         const std::vector<bool>& clamped, const std::vector<bool>& unreached, double tol, int max_iter,
         Index eliminate_up_to) {
        return as_tuple(run_without_gil([&](const Execution& run) {
          return clamped_equilibrium_vjp<T>(P, grad_F, F, clamped, unreached,
                                            {tol, max_iter, eliminate_up_to}, run);
        }));
      },
      py::arg("P"), py::arg("grad_F").noconvert(), py::arg("F").noconvert(), py::arg("clamped"),
      py::arg("unreached"), py::arg("tol"), py::arg("max_iter"), py::arg("eliminate_up_to"));
}

template <class T> void bind_spectra(py::module_& m) {
  m.def(
      "eigen_vjp",
      [](const SelfOperator<T>& P, const Vector<double>& w, const Matrix<double>& v,
         const Vector<double>& grad_w, const Matrix<double>& grad_v, double min_gap, int max_iter) {
        return as_tuple(run_without_gil([&](const Execution& run) {
          return eigen_vjp<T>(P, w, v, grad_w, grad_v, {min_gap, max_iter}, run);
        }));
      },
      py::arg("P"), py::arg("w"), py::arg("v"), py::arg("grad_w"), py::arg("grad_v"), py::arg("min_gap"),
      py::arg("max_iter"));
}

}  // namespace

void bind_gradient(py::module_& m) {
  bind_vjp<float>(m);
  bind_vjp<double>(m);
  bind_powers_and_equilibria<float>(m);
  bind_powers_and_equilibria<double>(m);
  bind_spectra<float>(m);
  bind_spectra<double>(m);
}

}  // namespace likewise::python
