// One mechanism over stacks of queries and keys: an operator for each head, applied and differentiated together.
#include <pybind11/stl.h>

#include <likewise/many_operators.hpp>

#include "execution.hpp"
#include "stack.hpp"

namespace likewise::python {

namespace {

template <class T> EachMatrix<T> matrices(const py::array_t<T>& array) {
  const Stack stack(array);
  EachMatrix<T> all;
  for (Index i = 0; i < stack.count(); ++i) all.push_back(stack.matrix<T>(i));
  return all;
}

/// The steps, and the queries and keys that they read.
template <class T> struct OperatorStack {
  py::array_t<T> queries, keys;
  ManySteps<T> steps;
};

template <class T>
py::dict vjp_of(const OperatorStack<T>& P, const py::array_t<T>& grad_Y, const py::array_t<T>& V,
                const py::array_t<T>& Y) {
  std::vector<OperatorGradient<T>> found = [&] {
    const EachMatrix<T> g = matrices(grad_Y), v = matrices(V), y = matrices(Y);
    return run_without_gil([&](const Execution& run) { return P.steps.vjp(g, v, y, run); });
  }();
  py::dict gradient;
  const auto put = [&](const char* name, const py::array& like, Matrix<T> OperatorGradient<T>::*member) {
    std::vector<Matrix<T>> parts;
    for (OperatorGradient<T>& head : found) parts.push_back(std::move(head.*member));
    const Stack shape(like);
    if (parts.empty() || parts.front().size())
      gradient[name] = stacked<T>(like, shape.rows(), shape.cols(), parts);
  };
  put("queries", P.queries, &OperatorGradient<T>::queries);
  put("keys", P.keys, &OperatorGradient<T>::keys);
  put("values", V, &OperatorGradient<T>::values);
  const auto sum = [&](const char* name, std::optional<double> OperatorGradient<T>::*member) {
    double total = 0;
    for (const OperatorGradient<T>& head : found) total += (head.*member).value_or(0);
    if (!found.empty() && (found.front().*member)) gradient[name] = total;
  };
  sum("temperature", &OperatorGradient<T>::temperature);
  sum("bandwidth", &OperatorGradient<T>::bandwidth);
  return gradient;
}

template <class T> void bind_dtype(py::module_& m) {
  py::class_<OperatorStack<T>>(m, name_of_dtype<T>("OperatorStack").c_str())
      .def(
          "apply",
          [](const OperatorStack<T>& P, const py::array_t<T>& V) {
            const EachMatrix<T> values = matrices(V);
            return stacked<T>(
                P.queries, Stack(P.queries).rows(), Stack(V).cols(),
                run_without_gil([&](const Execution& run) { return P.steps.apply(values, run); }));
          },
          py::arg("V"))
      .def("vjp", &vjp_of<T>, py::arg("grad_Y"), py::arg("V"), py::arg("Y"));
  m.def(
      "operator_stack",
      [](const Mechanism& mechanism, const py::array_t<T>& q, const py::array_t<T>& k) {
        const EachMatrix<T> queries = matrices(q), keys = matrices(k);
        return OperatorStack<T>{q, k, run_without_gil([&](const Execution& run) {
                                  return ManySteps<T>(mechanism, queries, keys, run);
                                })};
      },
      py::arg("mechanism"), py::arg("q").noconvert(), py::arg("k").noconvert());
}

}  // namespace

void bind_many_operators(py::module_& m) {
  bind_dtype<float>(m);
  bind_dtype<double>(m);
}

}  // namespace likewise::python
