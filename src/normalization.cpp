#include <cmath>

#include <likewise/error.hpp>
#include <likewise/normalization.hpp>

#include "names.hpp"

namespace likewise {

namespace {

using detail::print_number;

void check(const RowStochastic& n) {
  require(n.null_mass >= 0 && std::isfinite(n.null_mass), "null_mass", "finite and not negative",
          print_number(n.null_mass));
}
void check(const Density& n) { require(std::isfinite(n.alpha), "alpha", "finite", print_number(n.alpha)); }
void check(const Bistochastic& n) {
  require(n.tol > 0 && std::isfinite(n.tol), "tol", "a positive, finite number", print_number(n.tol));
  require(n.max_iter >= 1, "max_iter", "an int of at least 1", n.max_iter);
}
template <class N> void check(const N&) {}

const detail::NameTable<Normalization>& table() {
  static const detail::NameTable<Normalization> normalizations = {
      {"row", RowStochastic{}},
      {"row_stochastic", RowStochastic{}},
      {"none", Unnormalized{}},
      {"unnormalized", Unnormalized{}},
      {"symmetric", Symmetric{}},
      {"density", Density{}},
      {"bistochastic", Bistochastic{}},
      {"column", Column{}},
      {"global", Global{}},
  };
  return normalizations;
}

}  // namespace

RightFrom right_from(const Normalization& normalization) {
  return std::visit([]<NormalizationValue N>(const N&) { return N::right_from; }, normalization);
}
bool divides_by_row_mass(const Normalization& normalization) {
  return std::visit([]<NormalizationValue N>(const N&) { return N::divides_by_row_mass; }, normalization);
}
bool rows_stand_alone(const Normalization& normalization) {
  return std::visit([]<NormalizationValue N>(const N&) { return N::rows_stand_alone; }, normalization);
}

std::string repr(const Normalization& normalization) {
  return std::visit([](const auto& n) { return repr(n); }, normalization);
}

void validate(const Normalization& normalization) {
  std::visit([](const auto& n) { check(n); }, normalization);
}

Normalization normalization_from_name(const std::string& name) {
  return detail::value_named(name, "normalization", table());
}

const std::vector<std::string>& normalization_names() {
  static const std::vector<std::string> names = detail::names_of(table());
  return names;
}

}  // namespace likewise
