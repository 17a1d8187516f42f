// k-nearest-neighbor and radius-neighbor regression; classification is regression on one-hot columns.
#include <likewise/algorithms/k_neighbors.hpp>

#include "arrays.hpp"
#include "bind_fitted.hpp"
#include "execution.hpp"

namespace likewise::python {

namespace {

/// (mean, empty)
template <class T> py::tuple tuple_of(NeighborsPrediction<T> prediction) {
  py::array_t<bool> empty(static_cast<py::ssize_t>(prediction.empty.size()));
  for (std::size_t i = 0; i < prediction.empty.size(); ++i)
    empty.mutable_at(static_cast<py::ssize_t>(i)) = prediction.empty[i];
  return py::make_tuple(std::move(prediction.mean), empty);
}

template <class T> void bind_regression(py::module_& m) {
  using Fitted = NeighborsRegression<T>;
  py::class_<Fitted> cls(m, name_of_dtype<T>("NeighborsRegression").c_str());
  cls.def_readonly("mechanism", &Fitted::mechanism);
  cls.def_property_readonly(
      "points", [](const py::object& self) { return view(self.cast<const Fitted&>().points, self); });
  cls.def_property_readonly(
      "targets", [](const py::object& self) { return view(self.cast<const Fitted&>().targets, self); });
  def_fitted_pickle(cls, &Fitted::mechanism, &Fitted::points, &Fitted::targets);
  cls.def(
      "predict",
      [](const Fitted& fitted, const Points<T>& X) {
        return tuple_of(run_without_gil([&](const Execution& run) { return fitted.predict(X, run); }));
      },
      py::arg("X").noconvert(), "(mean, empty)");
  cls.def(
      "predict_left_out",
      [](const Fitted& fitted) {
        return tuple_of(run_without_gil([&](const Execution& run) { return fitted.predict_left_out(run); }));
      },
      "(mean, empty) of the training points, each without itself");
  m.def(
      "fit_neighbors_regression",
      [](const Points<T>& X, const Values<T>& Y, const Mechanism& mechanism) {
        return run_without_gil(
            [&](const Execution& run) { return fit_neighbors_regression<T>(mechanism, X, Y, run); });
      },
      py::arg("X").noconvert(), py::arg("Y").noconvert(), py::arg("mechanism"));
}

}  // namespace

void bind_k_neighbors(py::module_& m) {
  bind_regression<float>(m);
  bind_regression<double>(m);
}

}  // namespace likewise::python
