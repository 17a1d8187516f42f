// One function gives every slot value its Python class: constructor, properties, repr, ==, hash, copy,
// pickle.
#pragma once

#include <functional>
#include <likewise/value.hpp>
#include <tuple>
#include <utility>

#include "fields.hpp"

namespace likewise::python {

namespace detail {

template <class V, class Member> auto argument(const Field<V, Member>& field) {
  if constexpr (FieldType<Member>::required)
    return py::arg(field.name);
  else
    return py::arg(field.name) = FieldType<Member>::to(field.name, V{}.*field.member);
}

template <class> using Object = py::object;

template <class> constexpr bool is_array = false;
template <class Content> constexpr bool is_array<Shared<Content>> = true;

/// V(first, *, others): the main parameter may be given by position; of arrays, or where the leaf says so, all may.
template <class V, class Check, class First, class... Rest>
void def_constructor(py::class_<V>& cls, Check check, Field<V, First> first, Field<V, Rest>... rest) {
  const auto make = [=](const py::object& main, const Object<Rest>&... given) {
    V v;
    v.*first.member = FieldType<First>::from(first.name, main);
    ((v.*rest.member = FieldType<Rest>::from(rest.name, given)), ...);
    check(v);
    return v;
  };
  if constexpr (sizeof...(Rest) == 0 || (is_array<Rest> && ...) || requires { V::all_positional; })
    cls.def(py::init(make), argument(first), argument(rest)...);
  else
    cls.def(py::init(make), argument(first), py::kw_only(), argument(rest)...);
}
template <class V, class Check> void def_constructor(py::class_<V>& cls, Check) { cls.def(py::init<>()); }

/// The call that makes the value; fields at their default are left out.
template <class V, class... Member> std::string print(const V& v, const Field<V, Member>&... field) {
  std::string text;
  [[maybe_unused]] const auto add = [&](const auto& f, const auto& value, const std::string& printed) {
    if (value == V{}.*f.member) return;
    text += (text.empty() ? "" : ", ") + std::string(f.name) + "=" + printed;
  };
  (add(field, v.*field.member, FieldType<Member>::print(FieldType<Member>::to(field.name, v.*field.member))),
   ...);
  return std::string(V::name) + "(" + text + ")";
}

template <class V, class... Member> py::dict fields_of(const V& v, const Field<V, Member>&... field) {
  py::dict fields;
  ((fields[field.name] = FieldType<Member>::to(field.name, v.*field.member)), ...);
  return fields;
}

/// f(v, fields of V...)
template <class V, class F> auto with_fields(F f) {
  return [f](const V& v) {
    return std::apply([&](const auto&... field) { return f(v, field...); }, V::fields());
  };
}

}  // namespace detail

/// What all immutable values share once they have repr, hash, fields(v) (a dict that their constructor takes)
/// and ==. Copies are the value itself; a pickle is (module, name, fields), so it survives changes inside.
template <class V, class Fields, class Equal = std::equal_to<>>
void def_value_protocol(py::class_<V>& cls, const std::string& module, Fields fields, Equal equal = {}) {
  cls.attr("__module__") = module;
  cls.def(
      "__eq__", [equal](const V& a, const V& b) { return equal(a, b); }, py::is_operator());
  cls.def("__copy__", [](const py::object& self) { return self; });
  cls.def("__deepcopy__", [](const py::object& self, const py::object&) { return self; });
  cls.def("__reduce__", [fields](const py::object& self) {  // of a class of the user's own that one too
    const py::object rebuild = py::module_::import("likewise._slots").attr("rebuild"),
                     type = py::type::of(self);
    return py::make_tuple(
        rebuild,
        py::make_tuple(type.attr("__module__"), type.attr("__qualname__"), fields(self.cast<const V&>())),
        py::getattr(self, "__dict__", py::none()));
  });
}

/// check(v) throws where Python tries to construct a value that nothing could use.
template <SlotValue V, class Check>
py::class_<V> bind_value(py::module_& m, const std::string& module, const std::string& doc, Check check) {
  py::class_<V> cls(m, V::name, doc.c_str());
  std::apply([&](const auto&... field) { detail::def_constructor(cls, check, field...); }, V::fields());
  std::apply(
      [&](const auto&... field) {
        (cls.def_property_readonly(field.name,
                                   [field](const V& v) {
                                     using Member = std::remove_cvref_t<decltype(v.*field.member)>;
                                     return FieldType<Member>::to(field.name, v.*field.member);
                                   }),
         ...);
      },
      V::fields());
  cls.def_property_readonly_static("formula", [](const py::object&) { return V::formula; });
  cls.def("__repr__", detail::with_fields<V>(
                          [](const V& v, const auto&... field) { return detail::print(v, field...); }));
  cls.def("__hash__", [](const V& v) { return hash_value(v); });
  def_value_protocol<V>(cls, module, detail::with_fields<V>([](const V& v, const auto&... field) {
                          return detail::fields_of(v, field...);
                        }));
  return cls;
}

}  // namespace likewise::python
