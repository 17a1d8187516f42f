// What bound fitted structs share: read-only members, pickling.
#pragma once

#include <pybind11/eigen.h>
#include <pybind11/stl.h>

#include <likewise/bandwidth.hpp>
#include <likewise/operator.hpp>
#include <string>
#include <utility>

#include "casters.hpp"
#include "fields.hpp"
#include "gil.hpp"

namespace likewise::python {

/// How a member of a fitted struct is pickled.
template <class Member> struct Pickled {
  static py::object to(const Member& value) { return py::cast(value); }
  static Member from(const py::handle& object) { return object.cast<Member>(); }
};
template <> struct Pickled<SelectedBandwidth> {
  static py::object to(const SelectedBandwidth& b) {
    return py::make_tuple(b.length, b.rule, b.intrinsic_dimension, b.row_scale, b.key_scale, b.grid, b.curve,
                          b.row_offset);
  }
  static SelectedBandwidth from(const py::handle& object) {
    const auto t = object.cast<py::tuple>();
    return {t[0].cast<double>(),
            t[1].cast<std::string>(),
            t[2].cast<std::optional<double>>(),
            t[3].cast<Vector<double>>(),
            t[4].cast<Vector<double>>(),
            t[5].cast<std::vector<double>>(),
            t[6].cast<std::vector<double>>(),
            t[7].cast<Vector<double>>()};
  }
};

/// Without what can be found out again.
template <class T> struct Pickled<PreparedKeys<T>> {
  static py::object to(const PreparedKeys<T>& keys) {
    const bool weighted = (keys.log_weights().array() != 0).any();
    return py::make_tuple(keys.metric(), keys.points(), weighted ? keys.log_weights() : Vector<double>());
  }
  static PreparedKeys<T> from(const py::handle& object) {
    const auto t = object.cast<py::tuple>();
    const auto points = t[1].cast<Matrix<T>>();
    return {t[0].cast<Metric>(), points, t[2].cast<Vector<double>>()};
  }
};
/// Without the GIL, which another thread that finds the bandwidth may need for a user's metric.
template <class T> Mechanism mechanism_of(const KeyedMechanism<T>& keyed) {
  const WithoutGil without_gil;
  return keyed.mechanism();
}
template <class T> struct Pickled<KeyedMechanism<T>> {
  static py::object to(const KeyedMechanism<T>& keyed) {
    return py::make_tuple(mechanism_of(keyed), Pickled<SelectedBandwidth>::to(keyed.bandwidth()),
                          Pickled<PreparedKeys<T>>::to(keyed.keys()));
  }
  static KeyedMechanism<T> from(const py::handle& object) {
    const auto t = object.cast<py::tuple>();
    const PreparedKeys<T> keys = Pickled<PreparedKeys<T>>::from(t[2]);
    Mechanism mechanism = t[0].cast<Mechanism>();
    mechanism.metric = keys.metric();  // one function, where it is the user's own
    return {mechanism, Pickled<SelectedBandwidth>::from(t[1]), keys};
  }
};

/// Pickles a bound value as above.
template <class Value> void def_pickle_by(py::class_<Value>& cls) {
  cls.def(py::pickle([](const Value& value) { return py::tuple(Pickled<Value>::to(value)); },
                     [](const py::tuple& state) { return Pickled<Value>::from(state); }));
}

/// Pickles and copies a fitted struct as the tuple of these members: all that its predictions need.
template <class Fitted, class... Member>
void def_fitted_pickle(py::class_<Fitted>& cls, Member Fitted::*... member) {
  cls.def(
      py::pickle([=](const Fitted& fitted) { return py::make_tuple(Pickled<Member>::to(fitted.*member)...); },
                 [=](const py::tuple& state) {
                   Fitted fitted;
                   std::size_t k = 0;
                   ((fitted.*member = Pickled<Member>::from(state[k++])), ...);
                   return fitted;
                 }));
}

}  // namespace likewise::python
