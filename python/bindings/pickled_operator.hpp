// Self-operators within fitted structs: pickled as what makes them again.
#pragma once

#include <pybind11/eigen.h>

#include <likewise/operator.hpp>
#include <string>

#include "casters.hpp"

namespace likewise::python {

/// (mechanism with its bandwidth resolved, keys, log key weights, storage)
template <class T> py::tuple operator_recipe(const SelfOperator<T>& P) {
  return py::make_tuple(P.mechanism(), P.keys(), P.log_key_weights(), P.storage());
}

template <class T> SelfOperator<T> operator_from_recipe(const py::tuple& recipe) {
  return make_self_operator<T>(recipe[0].cast<Mechanism>(), recipe[1].cast<Matrix<T>>(),
                               {recipe[2].cast<Vector<double>>(), recipe[3].cast<std::string>()}, {});
}

}  // namespace likewise::python
