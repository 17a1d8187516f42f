// The laws of a metric as read-only properties, the same for every metric.
#pragma once

#include <likewise/metric/traits.hpp>

#include "fields.hpp"

namespace likewise::python {

template <class M> void def_laws(py::class_<M>& cls) {
  const auto law = [&cls](const char* name, auto member) {
    cls.def_property_readonly(name, [member](const M& metric) { return metric.traits().*member; });
  };
  law("symmetric", &MetricTraits::symmetric);
  law("zero_on_self", &MetricTraits::zero_on_self);
  law("triangle_inequality", &MetricTraits::triangle_inequality);
  law("shift_invariant", &MetricTraits::shift_invariant);
  cls.def_property_readonly("distance_power", [](const M& metric) {
    return FieldType<int>::to("distance_power", metric.traits().distance_power);
  });
}

}  // namespace likewise::python
