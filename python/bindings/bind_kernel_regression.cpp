// Kernel regression and classification.
#include <likewise/algorithms/kernel_regression.hpp>

#include "bind_fitted.hpp"
#include "execution.hpp"

namespace likewise::python {

namespace {

/// The mechanism's slots; `bandwidth` fills what its kernel leaves open.
KernelRegressionOptions options(const Mechanism& m, const py::object& bandwidth, int degree,
                                const Vector<double>& sample_weight) {
  return {m.metric,  m.kernel,        FieldType<Bandwidth>::from("bandwidth", bandwidth),
          m.support, m.normalization, m.empty_row,
          degree,    sample_weight};
}

template <class Fitted> void def_loo_score(py::class_<Fitted>& cls) {
  cls.def("loo_score", [](const Fitted& fitted) {
    return run_without_gil([&](const Execution& run) { return fitted.loo_score(run); });
  });
}

template <class T> void bind_kernel_regressor(py::module_& m) {
  using Fitted = KernelRegression<T>;
  py::class_<Fitted> cls(m, name_of_dtype<T>("KernelRegression").c_str());
  cls.def_property_readonly("mechanism", [](const Fitted& f) { return mechanism_of(f.keyed); });
  cls.def_property_readonly("nbytes", [](const Fitted& f) { return f.keyed.keys().bytes(); });
  cls.def_readonly("bandwidth", &Fitted::bandwidth);
  cls.def_readonly("degree", &Fitted::degree);
  def_fitted_pickle(cls, &Fitted::keyed, &Fitted::targets, &Fitted::point_of, &Fitted::degree,
                    &Fitted::bandwidth);
  def_loo_score(cls);
  cls.def(
      "predict",
      [](const Fitted& fitted, const Points<T>& X, bool return_std) {
        KernelPrediction<T> p =
            run_without_gil([&](const Execution& run) { return fitted.predict(X, return_std, run); });
        return py::make_tuple(std::move(p.mean), std::move(p.std), p.n_reduced);
      },
      py::arg("X").noconvert(), py::arg("return_std"), "(mean, std, number of queries with degree 0)");
  m.def(
      "fit_kernel_regression",
      [](const Points<T>& X, const Values<T>& Y, const Mechanism& mechanism, const py::object& bandwidth,
         int degree, const Vector<double>& sample_weight) {
        const KernelRegressionOptions o = options(mechanism, bandwidth, degree, sample_weight);
        return run_without_gil([&](const Execution& run) { return fit_kernel_regression<T>(X, Y, o, run); });
      },
      py::arg("X").noconvert(), py::arg("Y").noconvert(), py::arg("mechanism"), py::arg("bandwidth"),
      py::arg("degree"), py::arg("sample_weight"));
}

template <class T> void bind_kernel_classifier(py::module_& m) {
  using Fitted = KernelClassification<T>;
  py::class_<Fitted> cls(m, name_of_dtype<T>("KernelClassification").c_str());
  cls.def_readonly("regression", &Fitted::regression);
  def_fitted_pickle(cls, &Fitted::regression);
  def_loo_score(cls);
  cls.def(
      "predict_proba",
      [](const Fitted& fitted, const Points<T>& X) {
        return run_without_gil([&](const Execution& run) { return fitted.predict_proba(X, run); });
      },
      py::arg("X").noconvert());
  m.def(
      "fit_kernel_classification",
      [](const Points<T>& X, const std::vector<Index>& labels, Index n_classes, const Mechanism& mechanism,
         const py::object& bandwidth, int degree, const Vector<double>& sample_weight) {
        const KernelRegressionOptions o = options(mechanism, bandwidth, degree, sample_weight);
        return run_without_gil(
            [&](const Execution& run) { return fit_kernel_classification<T>(X, labels, n_classes, o, run); });
      },
      py::arg("X").noconvert(), py::arg("labels"), py::arg("n_classes"), py::arg("mechanism"),
      py::arg("bandwidth"), py::arg("degree"), py::arg("sample_weight"));
}

}  // namespace

void bind_kernel_regression(py::module_& m) {
  bind_kernel_regressor<float>(m);
  bind_kernel_regressor<double>(m);
  bind_kernel_classifier<float>(m);
  bind_kernel_classifier<double>(m);
}

}  // namespace likewise::python
