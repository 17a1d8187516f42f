// How each type of field of a slot value crosses between C++ and Python. One specialization a type.
#pragma once

#include <likewise/bandwidth.hpp>
#include <likewise/error.hpp>
#include <likewise/shared.hpp>
#include <likewise/support/groups.hpp>
#include <likewise/types.hpp>
#include <optional>
#include <string>

#include "bindings.hpp"

namespace likewise::python {

/// to(name, value) -> Python; from(name, object) -> C++, TypeError or ValueError naming the field;
/// print(object) -> text that evaluates back where it is short. Required fields have no default.
template <class Member> struct FieldType;

[[noreturn]] inline void wrong_type(const char* name, const char* allowed, py::handle got) {
  throw py::type_error(std::string(name) + " must be " + allowed + "; got "
                       + py::repr(got).cast<std::string>() + ".");
}

/// What plain Python values share.
template <class Member> struct PlainField {
  static constexpr bool required = false;
  static py::object to(const char*, const Member& value) { return py::cast(value); }
  static std::string print(const py::object& value) { return py::repr(value).cast<std::string>(); }
};

template <class Member> Member load(const char* name, const char* allowed, py::handle object) {
  py::detail::make_caster<Member> caster;
  if (PyBool_Check(object.ptr()) || !caster.load(object, true)) wrong_type(name, allowed, object);
  return py::detail::cast_op<Member>(caster);
}

template <> struct FieldType<double> : PlainField<double> {
  static double from(const char* name, py::handle object) { return load<double>(name, "a number", object); }
};

template <> struct FieldType<Index> : PlainField<Index> {
  static Index from(const char* name, py::handle object) { return load<Index>(name, "an int", object); }
};

/// distance_power 0 (no distance) is None in Python.
template <> struct FieldType<int> : PlainField<int> {
  static bool is_power(const char* name) { return std::string(name) == "distance_power"; }
  static py::object to(const char* name, int value) {
    return value == 0 && is_power(name) ? py::none() : py::cast(value);
  }
  static int from(const char* name, py::handle object) {
    if (!is_power(name)) return load<int>(name, "an int", object);
    if (object.is_none()) return 0;
    const int power = load<int>(name, "1, 2 or None", object);
    require(power == 1 || power == 2, name, "1 (a distance), 2 (its square) or None (neither)", power);
    return power;
  }
};

template <> struct FieldType<bool> : PlainField<bool> {
  static bool from(const char* name, py::handle object) {
    py::detail::make_caster<bool> caster;
    if (!caster.load(object, false)) wrong_type(name, "a bool", object);
    return py::detail::cast_op<bool>(caster);
  }
};

/// An empty string is None in Python: a choice that is left open.
template <> struct FieldType<std::string> : PlainField<std::string> {
  static py::object to(const char*, const std::string& value) {
    return value.empty() ? py::none() : py::cast(value);
  }
  static std::string from(const char* name, py::handle object) {
    return object.is_none() ? std::string() : load<std::string>(name, "a string", object);
  }
};

/// A length, a rule's name, or None: open.
template <> struct FieldType<Bandwidth> : PlainField<Bandwidth> {
  static py::object to(const char*, const Bandwidth& h) {
    if (h.is_open()) return py::none();
    return h.is_number() ? py::cast(h.length()) : py::cast(h.rule());
  }
  static Bandwidth from(const char* name, py::handle object) {
    if (object.is_none()) return {};
    if (py::isinstance<py::str>(object)) return Bandwidth(object.cast<std::string>());
    return Bandwidth(load<double>(name, "a number, the name of a rule, or None", object));
  }
};

/// The numbers of an array, or none where it holds others: pybind11's own cast drops imaginary parts.
template <class T> using CArray = py::array_t<T, py::array::c_style | py::array::forcecast>;
template <class T> CArray<T> real_numbers(py::handle object) {
  const auto given = py::array::ensure(object);
  return given && given.dtype().kind() != 'c' ? CArray<T>::ensure(given)
                                              : py::reinterpret_steal<CArray<T>>(py::handle());
}

/// Arrays of a slot value: read-only views of the C++ memory; a copy is made only on the way in.
py::array read_only(py::array array);
std::string print_array(const py::object& array);

template <class T> py::object view_of(const Shared<Matrix<T>>& content) {
  const py::capsule keep_alive(new Shared<Matrix<T>>(content),
                               [](void* p) { delete static_cast<Shared<Matrix<T>>*>(p); });
  return read_only(py::array_t<T>({content->rows(), content->cols()}, content->data(), keep_alive));
}

template <> struct FieldType<Shared<BoolMatrix>> {
  static constexpr bool required = true;
  static py::object to(const char*, const Shared<BoolMatrix>& content) { return view_of(content); }
  static Shared<BoolMatrix> from(const char* name, py::handle object);
  static std::string print(const py::object& value) { return print_array(value); }
};

/// None where there is no number: a factor that is left open until something learns it.
template <> struct FieldType<Shared<Matrix<double>>> {
  static constexpr bool required = false;
  static py::object to(const char*, const Shared<Matrix<double>>& content) {
    return content->rows() + content->cols() > 0 ? view_of(content) : py::none();
  }
  static Shared<Matrix<double>> from(const char* name, py::handle object);
  static std::string print(const py::object& value) { return value.is_none() ? "None" : print_array(value); }
};

/// None where there is no number: a bias that is 0.
template <> struct FieldType<Shared<Vector<double>>> {
  static constexpr bool required = false;
  static py::object to(const char*, const Shared<Vector<double>>& content);
  static Shared<Vector<double>> from(const char* name, py::handle object);
  static std::string print(const py::object& value) { return value.is_none() ? "None" : print_array(value); }
};

/// An int for each point.
template <> struct FieldType<Shared<GroupLabels>> {
  static constexpr bool required = true;
  static py::object to(const char* name, const Shared<GroupLabels>& groups);
  static Shared<GroupLabels> from(const char* name, py::handle object);
  static std::string print(const py::object& value) { return print_array(value); }
};

/// None where there is no value.
template <class Value> struct FieldType<std::optional<Value>> {
  static constexpr bool required = false;
  static py::object to(const char* name, const std::optional<Value>& value) {
    return value ? FieldType<Value>::to(name, *value) : py::none();
  }
  static std::optional<Value> from(const char* name, py::handle object) {
    if (object.is_none()) return std::nullopt;
    return FieldType<Value>::from(name, object);
  }
  static std::string print(const py::object& value) {
    return value.is_none() ? "None" : FieldType<Value>::print(value);
  }
};

/// SciPy's CSR; explicit zeros stay, duplicates are summed.
template <> struct FieldType<Shared<SparseMatrix<double>>> {
  static constexpr bool required = true;
  static py::object to(const char* name, const Shared<SparseMatrix<double>>& content);
  static Shared<SparseMatrix<double>> from(const char* name, py::handle object);
  static std::string print(const py::object& value);
};

}  // namespace likewise::python
