// The values of the five slots, from the calls that the page makes of its dials: {name, arguments} for each slot.
#pragma once

#include <emscripten/val.h>

#include <optional>
#include <string>
#include <type_traits>
#include <variant>

#include <likewise/mechanism_value.hpp>

namespace page {

using emscripten::val;
using likewise::Index;

/// A mechanism, and of each slot the names of the arguments that are no defaults: {metric: ["p"], ...}.
struct Called {
  likewise::Mechanism mechanism;
  val said;
};

// --- one argument --------------------------------------------------------------------------------------------------

template <class V> V filled(const val& arguments);

inline void read(const val& given, bool& out) { out = given.as<bool>(); }
inline void read(const val& given, int& out) { out = given.as<int>(); }
inline void read(const val& given, Index& out) { out = given.as<int>(); }
inline void read(const val& given, double& out) { out = given.as<double>(); }
inline void read(const val& given, std::string& out) { out = given.as<std::string>(); }
inline void read(const val& given, likewise::Bandwidth& out) {
  if (given.isString())
    out = given.as<std::string>();
  else if (given.isNumber())
    out = given.as<double>();
}
inline void read(const val& rows, likewise::Shared<likewise::Matrix<double>>& out) {
  likewise::Matrix<double> matrix(rows["length"].as<int>(), rows[0]["length"].as<int>());
  for (int i = 0; i < matrix.rows(); ++i)
    for (int j = 0; j < matrix.cols(); ++j) matrix(i, j) = rows[i][j].as<double>();
  out = std::move(matrix);
}
inline void read(const val& call, likewise::PointMap& out) {
  out = filled<likewise::maps::ResidualMLP>(call["arguments"]);
}
template <class M> void read(const val& given, std::optional<M>& out) {
  if (!given.isNull()) read(given, out.emplace());
}
/// Of a kind that no dial has.
template <class M> void read(const val&, M&) {
  throw likewise::InvalidArgument("arguments must be numbers, words, tables or a map.");
}

// --- one slot ------------------------------------------------------------------------------------------------------

inline bool has(const val& arguments, const char* name) {
  return arguments.call<bool>("hasOwnProperty", std::string(name));
}

/// The leaf with these of its fields, the others at their defaults.
template <class V> V filled(const val& arguments) {
  V value{};
  const auto fill = [&](const auto& field) {
    if (has(arguments, field.name)) read(arguments[field.name], value.*(field.member));
  };
  std::apply([&](const auto&... field) { (fill(field), ...); }, V::fields());
  return value;
}

/// The names of the given arguments that differ from the leaf's defaults.
template <class V> val names_said(const V& value, const val& arguments) {
  val names = val::array();
  const V untouched{};
  const auto look = [&](const auto& field) {
    if (has(arguments, field.name) && !(value.*(field.member) == untouched.*(field.member)))
      names.call<void>("push", std::string(field.name));
  };
  std::apply([&](const auto&... field) { (look(field), ...); }, V::fields());
  return names;
}

/// The leaf of a call, as what the slot holds.
template <class Slot, class... Leaves>
void fill_slot(Slot& slot, val& said, const char* name, const val& call,
               std::type_identity<std::variant<Leaves...>>) {
  const auto wanted = call["name"].as<std::string>();
  const auto take = [&]<class Leaf>(std::type_identity<Leaf>) {
    if (wanted != Leaf::name) return false;
    const Leaf leaf = filled<Leaf>(call["arguments"]);
    said.set(name, names_said(leaf, call["arguments"]));
    slot = leaf;
    return true;
  };
  if (!(take(std::type_identity<Leaves>{}) || ...)) likewise::refuse(name, "a leaf of this slot", wanted);
}

template <class Slot> void fill_slot(Slot& slot, val& said, const char* name, const val& calls) {
  fill_slot(slot, said, name, calls[name], std::type_identity<Slot>{});
}

/// A support is made of leaves; a dial has one.
using SupportLeaf = std::variant<likewise::AllPairs, likewise::LeaveOneOut, likewise::Neighbors,
                                 likewise::Radius, likewise::Causal, likewise::Window>;

inline Called called(const val& calls) {
  Called made{{}, val::object()};
  fill_slot(made.mechanism.metric, made.said, "metric", calls);
  fill_slot(made.mechanism.kernel, made.said, "kernel", calls);
  fill_slot(made.mechanism.support, made.said, "support", calls["support"],
            std::type_identity<SupportLeaf>{});
  fill_slot(made.mechanism.normalization, made.said, "normalization", calls);
  fill_slot(made.mechanism.propagation, made.said, "propagation", calls);
  return made;
}

}  // namespace page
