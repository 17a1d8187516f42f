// What makes a slot value a value: a name and named fields, from which printing, ==, hashing,
// pickling and the Python constructor are derived once for all of them.
#pragma once

#include <cmath>
#include <sstream>
#include <string>
#include <tuple>
#include <type_traits>

namespace likewise {

template <class Owner, class Member>
struct Field {
  const char* name;
  Member Owner::*member;
};
template <class Owner, class Member>
Field(const char*, Member Owner::*) -> Field<Owner, Member>;

/// A slot value: `name`, `fields()` (a tuple of Field), ==.
template <class V>
concept SlotValue = requires(const V& v) {
  { V::name } -> std::convertible_to<const char*>;
  V::fields();
  { v == v } -> std::same_as<bool>;
};

namespace detail {
template <class M>
void print_field(std::ostream& out, const M& value) {
  if constexpr (std::is_same_v<M, bool>)
    out << (value ? "True" : "False");
  else if constexpr (requires { out << value; })
    out << value;
  else
    out << "...";
}
}  // namespace detail

/// The call that makes the value: "Gaussian(bandwidth=0.3)". Fields at their default are left out.
template <SlotValue V>
std::string repr(const V& value) {
  std::ostringstream out;
  out << V::name << '(';
  const char* separator = "";
  std::apply(
      [&](const auto&... field) {
        const auto print = [&](const auto& f) {
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

}  // namespace likewise
