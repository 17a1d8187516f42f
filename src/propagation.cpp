#include <cmath>

#include <likewise/error.hpp>
#include <likewise/propagation.hpp>

#include "names.hpp"

namespace likewise {

namespace {

using detail::print_number;

void check_tol(double tol) { require(tol >= 0, "tol", "a number >= 0", print_number(tol)); }
void check_time(double t, const char* name) {
  require(t >= 0 && std::isfinite(t), name, "a finite number >= 0", print_number(t));
}

void check(const OneStep&) {}
void check(const Steps& s) {
  detail::require_word(s.moving, "moving", {"values", "points"});
  check_tol(s.tol);
  require(s.max_iter >= 0, "max_iter", "an int >= 0", s.max_iter);
  if (!s.t) return;
  require(*s.t >= 0, "t", "an int >= 0, or None: until nothing moves", *s.t);
  require(s.tol == Steps{}.tol && s.max_iter == Steps{}.max_iter, "t",
          "None together with tol and max_iter, which say when steps without t end", *s.t);
}
void check(const Equilibrium& e) {
  require(!e.alpha || (*e.alpha > 0 && *e.alpha < 1), "alpha", "a number in (0, 1)",
          print_number(e.alpha.value_or(0)));
  check_tol(e.tol);
  require(e.max_iter >= 1, "max_iter", "an int >= 1", e.max_iter);
  detail::require_word(e.solver, "solver", {"auto", "cg", "bicgstab", "direct", "iterate"});
}
void check(const Spectrum& s) {
  require(s.n >= 1, "n", "an int >= 1", s.n);
  check_time(s.power, "power");
  require(s.tol > 0, "tol", "positive", print_number(s.tol));
  require(s.max_iter >= 1, "max_iter", "an int >= 1", s.max_iter);
  detail::require_word(s.solver, "solver", {"auto", "dense", "lanczos", "chebyshev", "shift_invert"});
}
void check(const Heat& h) { check_time(h.t, "t"); }

const detail::NameTable<Propagation>& table() {
  static const detail::NameTable<Propagation> propagations = {{"one_step", OneStep{}},
                                                              {"steps", Steps{}},
                                                              {"equilibrium", Equilibrium{}},
                                                              {"spectrum", Spectrum{}},
                                                              {"heat", Heat{}}};
  return propagations;
}

}  // namespace

std::string repr(const Propagation& propagation) {
  return std::visit([](const auto& p) { return repr(p); }, propagation);
}

void validate(const Propagation& propagation) {
  std::visit([](const auto& p) { check(p); }, propagation);
}

Propagation propagation_from_name(const std::string& name) {
  return detail::value_named(name, "propagation", table());
}

const std::vector<std::string>& propagation_names() {
  static const std::vector<std::string> names = detail::names_of(table());
  return names;
}

}  // namespace likewise
