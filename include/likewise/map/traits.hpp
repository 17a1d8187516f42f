// What a map of points is: rows in, rows out, with a derivative.
#pragma once

#include <concepts>
#include <map>
#include <string>

#include <likewise/types.hpp>
#include <likewise/value.hpp>

namespace likewise {

/// How many features points must have of a map that does not say.
constexpr Index any_inputs = -1;

/// What a loss's derivative by mapped points means for the points and for the map's own parameters, by their names.
template <class T> struct MapGradient {
  Matrix<T> points;
  std::map<std::string, Matrix<double>> parameters;
};

/// phi(x) for each row x; check() throws where a parameter is not what it allows. inputs(): how many features x must have
/// (any_inputs: the map does not say). vjp(x, g): sum_ik g_ik dphi_k(x_i)/d(x, parameters).
template <class M>
concept MapValue = SlotValue<M> && requires(const M& m, Points<double> x) {
  m.check();
  { m.inputs() } -> std::same_as<Index>;
  { m.apply(x) } -> std::same_as<Matrix<double>>;
  { m.vjp(x, x) } -> std::same_as<MapGradient<double>>;
};

}  // namespace likewise
