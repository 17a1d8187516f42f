// Linear maps and operators, each for float32 and float64. The Python classes of
// likewise/_operator.py hold these; every call here runs without the GIL, also those that only look as if
// they read a member.
#include <pybind11/eigen.h>

#include <likewise/neighbor_operator.hpp>
#include <likewise/operator.hpp>
#include <string>

#include "arrays.hpp"
#include "casters.hpp"
#include "execution.hpp"

namespace likewise::python {

namespace {

template <class T> constexpr const char* dtype_name = sizeof(T) == 4 ? "float32" : "float64";

template <class T> void bind_linear_map(py::module_& m) {
  using Map = LinearMap<T>;
  py::class_<Map>(m, name_of_dtype<T>("LinearMap").c_str())
      .def_property_readonly("shape", [](const Map& P) { return py::make_tuple(P.rows(), P.cols()); })
      .def_property_readonly("dtype", [](const Map&) { return dtype_name<T>; })
      .def(
          "apply",
          [](const Map& P, const Values<T>& V) {
            return run_without_gil([&](const Execution& run) { return P.apply(V, run); });
          },
          py::arg("V").noconvert())
      .def(
          "apply_transposed",
          [](const Map& P, const Values<T>& V) {
            return run_without_gil([&](const Execution& run) { return P.apply_transposed(V, run); });
          },
          py::arg("V").noconvert())
      .def(
          "power", [](const Map& P, std::int64_t t) { return power(P, t); }, py::arg("t"))
      .def(
          "heat", [](const Map& P, double t) { return heat(P, t); }, py::arg("t"));
}

// A member of the operator that is computed when it is first asked for.
template <class T, class Member> py::array computed(const py::object& self, Member member) {
  const auto& P = self.cast<const PropagationOperator<T>&>();
  const Vector<double>& values =
      run_without_gil([&](const Execution& run) -> const Vector<double>& { return (P.*member)(run); });
  return view(values, self);
}

template <class T> void bind_propagation_operator(py::module_& m) {
  using Operator = PropagationOperator<T>;
  py::class_<Operator, LinearMap<T>> cls(m, name_of_dtype<T>("PropagationOperator").c_str());
  cls.def_property_readonly("storage", &Operator::storage);
  cls.def_property_readonly("mechanism", &Operator::mechanism);
  cls.def_property_readonly("bandwidth", &Operator::bandwidth);
  cls.def_property_readonly("report", &Operator::report);
  cls.def_property_readonly(
      "keys", [](const py::object& self) { return view(self.cast<const Operator&>().keys(), self); });
  const auto def_computed = [&cls](const char* name, auto member) {
    cls.def_property_readonly(name, [member](const py::object& self) { return computed<T>(self, member); });
  };
  def_computed("log_row_sums", &Operator::log_row_sums);
  def_computed("log_left", &Operator::log_left);
  const auto def_known = [&cls](const char* name, auto member) {
    cls.def_property_readonly(name, [member](const py::object& self) {
      return view((self.cast<const Operator&>().*member)(), self);
    });
  };
  def_known("log_right", &Operator::log_right);
  def_known("log_key_weights", &Operator::log_key_weights);
  cls.def("dense", [](const Operator& P) {
    return run_without_gil([&](const Execution& run) { return P.dense(run); });
  });
  cls.def("sparse", [](const Operator& P) {
    return csr_matrix(run_without_gil([&](const Execution& run) { return P.sparse(run); }));
  });
  py::class_<CrossOperator<T>, Operator>(m, name_of_dtype<T>("CrossOperator").c_str());
}

template <class T> void bind_self_operator(py::module_& m) {
  using Self = SelfOperator<T>;
  py::class_<Self, PropagationOperator<T>>(m, name_of_dtype<T>("SelfOperator").c_str())
      .def(
          "at",
          [](const Self& P, const Points<T>& X) {
            return run_without_gil([&](const Execution& run) { return P.at(X, run); });
          },
          py::arg("X").noconvert())
      .def(
          "log_stationary",
          [](const Self& P) { return run_without_gil([&](const Execution&) { return P.log_stationary(); }); })
      .def("asymmetry", [](const Self& P) { return asymmetry(P); });

  m.def(
      "self_operator",
      [](const Mechanism& mechanism, const Points<T>& Z, const Vector<double>& log_key_weights,
         const std::string& storage) {
        return run_without_gil([&](const Execution& run) {
          return make_self_operator<T>(mechanism, Z, {log_key_weights, storage}, run);
        });
      },
      py::arg("mechanism"), py::arg("Z").noconvert(), py::arg("log_key_weights"), py::arg("storage"));
  m.def(
      "self_operator_of_neighbors",
      [](const Mechanism& mechanism, const Points<T>& Z, const Vector<double>& log_key_weights,
         const std::string& storage, const Matrix<Index>& neighbors) {
        return run_without_gil([&](const Execution& run) {
          const PreparedKeys<T> keys(mechanism.metric, Z, log_key_weights, run);
          return self_operator_of_neighbors<T>(mechanism, keys, neighbors, run, storage);
        });
      },
      py::arg("mechanism"), py::arg("Z").noconvert(), py::arg("log_key_weights"), py::arg("storage"),
      py::arg("neighbors"));
  m.def(
      "cross_operator_of_neighbors",
      [](const Mechanism& mechanism, const Points<T>& X, const Points<T>& Z,
         const Vector<double>& log_key_weights, const std::string& storage, const Matrix<Index>& neighbors) {
        return run_without_gil([&](const Execution& run) {
          const PreparedKeys<T> keys(mechanism.metric, Z, log_key_weights, run);
          return cross_operator_of_neighbors<T>(KeyedMechanism<T>(mechanism, keys), X, neighbors, run,
                                                storage);
        });
      },
      py::arg("mechanism"), py::arg("X").noconvert(), py::arg("Z").noconvert(), py::arg("log_key_weights"),
      py::arg("storage"), py::arg("neighbors"));
  m.def(
      "cross_operator",
      [](const Mechanism& mechanism, const Points<T>& X, const Points<T>& Z,
         const Vector<double>& log_key_weights, const std::string& storage) {
        return run_without_gil([&](const Execution& run) {
          return make_cross_operator<T>(mechanism, X, Z, {log_key_weights, storage}, run);
        });
      },
      py::arg("mechanism"), py::arg("X").noconvert(), py::arg("Z").noconvert(), py::arg("log_key_weights"),
      py::arg("storage"));
}

template <class T> void bind_operators(py::module_& m) {
  bind_linear_map<T>(m);
  bind_propagation_operator<T>(m);
  bind_self_operator<T>(m);
}

}  // namespace

void bind_operator(py::module_& m) {
  bind_operators<float>(m);
  bind_operators<double>(m);
}

}  // namespace likewise::python
