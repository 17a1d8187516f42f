// What bound fitted structs share: read-only members, pickling.
#pragma once

#include <pybind11/eigen.h>
#include <pybind11/stl.h>

#include <likewise/bandwidth.hpp>
#include <string>
#include <utility>

#include "casters.hpp"
#include "fields.hpp"

namespace likewise::python {

/// How a member of a fitted struct is pickled.
template <class Member> struct Pickled {
  static py::object to(const Member& value) { return py::cast(value); }
  static Member from(const py::handle& object) { return object.cast<Member>(); }
};
template <> struct Pickled<SelectedBandwidth> {
  static py::object to(const SelectedBandwidth& b) {
    return py::make_tuple(b.length, b.rule, b.intrinsic_dimension, b.row_scale, b.key_scale, b.grid, b.curve);
  }
  static SelectedBandwidth from(const py::handle& object) {
    const auto t = object.cast<py::tuple>();
    return {t[0].cast<double>(),
            t[1].cast<std::string>(),
            t[2].cast<std::optional<double>>(),
            t[3].cast<Vector<double>>(),
            t[4].cast<Vector<double>>(),
            t[5].cast<std::vector<double>>(),
            t[6].cast<std::vector<double>>()};
  }
};

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
