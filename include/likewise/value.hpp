// What makes a slot value a value: a name, a formula and named fields, from which printing, hashing,
// pickling and the Python constructor are derived once for all of them.
#pragma once

#include <concepts>
#include <cstddef>
#include <functional>
#include <sstream>
#include <string>
#include <tuple>
#include <type_traits>
#include <variant>

namespace likewise {

template <class Owner, class Member> struct Field {
  const char* name;
  Member Owner::*member;
};
template <class Owner, class Member> Field(const char*, Member Owner::*) -> Field<Owner, Member>;

/// A slot value: `name`, `formula` (one line of an equation's legend), `fields()` (a tuple of Field), ==.
template <class V>
concept SlotValue = requires(const V& v) {
  { V::name } -> std::convertible_to<const char*>;
  { V::formula } -> std::convertible_to<const char*>;
  V::fields();
  { v == v } -> std::same_as<bool>;
};

// Found from below by leaves of any namespace.
template <SlotValue V> std::ostream& operator<<(std::ostream& out, const V& value);
template <SlotValue... Leaves>
std::ostream& operator<<(std::ostream& out, const std::variant<Leaves...>& value);
template <SlotValue V> std::size_t hash_value(const V& value);
template <SlotValue... Leaves> std::size_t hash_value(const std::variant<Leaves...>& value);

namespace detail {
/// The shortest digits that read back as x, laid out as Python does: 0.3, 100000, 1e-05, inf.
std::string print_number(double x);
/// As a Python literal: 'mutual'.
std::string quoted(const std::string& text);

template <class M> void print_field(std::ostream& out, const M& value) {
  if constexpr (std::is_same_v<M, bool>)
    out << (value ? "True" : "False");
  else if constexpr (std::is_floating_point_v<M>)
    out << print_number(value);
  else if constexpr (std::is_same_v<M, std::string>)
    out << quoted(value);
  else if constexpr (requires { value.has_value(); })
    value ? print_field(out, *value) : void(out << "None");
  else
    out << value;
}

inline std::size_t combine_hashes(std::size_t a, std::size_t b) { return a * 1000003 ^ b; }

template <class M> std::size_t hash_field(const M& value) {
  if constexpr (requires { value.has_value(); })
    return value ? hash_field(*value) : 0;
  else if constexpr (requires { hash_value(value); })
    return hash_value(value);
  else
    return std::hash<M>{}(value);
}
}  // namespace detail

/// The call that makes the value: "Gaussian(bandwidth=0.3)". Fields at their default are left out.
template <SlotValue V> std::string repr(const V& value) {
  std::ostringstream out;
  out << V::name << '(';
  const char* separator = "";
  std::apply(
      [&](const auto&... field) {
        [[maybe_unused]] const auto print = [&](const auto& f) {
          if constexpr (std::is_default_constructible_v<V>)
            if (value.*(f.member) == V{}.*(f.member)) return;
          out << separator << f.name << '=';
          detail::print_field(out, value.*(f.member));
          separator = ", ";
        };
        (print(field), ...);
      },
      V::fields());
  out << ')';
  return out.str();
}

template <SlotValue V> std::ostream& operator<<(std::ostream& out, const V& value) {
  return out << repr(value);
}
template <SlotValue... Leaves>
std::ostream& operator<<(std::ostream& out, const std::variant<Leaves...>& value) {
  return std::visit([&](const auto& leaf) -> std::ostream& { return out << leaf; }, value);
}

/// Equal values have equal hashes. Of a large shared part only the shape counts.
template <SlotValue V> std::size_t hash_value(const V& value) {
  std::size_t hash = std::hash<std::string>{}(V::name);
  std::apply(
      [&](const auto&... field) {
        ((hash = detail::combine_hashes(hash, detail::hash_field(value.*(field.member)))), ...);
      },
      V::fields());
  return hash;
}
template <SlotValue... Leaves> std::size_t hash_value(const std::variant<Leaves...>& value) {
  return std::visit([](const auto& leaf) { return hash_value(leaf); }, value);
}

}  // namespace likewise

/// Slot values are keys of std::unordered_map; so are a Metric, a Kernel, a Normalization and a Propagation, which are std::variants of them.
template <likewise::SlotValue V> struct std::hash<V> {
  std::size_t operator()(const V& value) const { return likewise::hash_value(value); }
};
