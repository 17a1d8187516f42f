// What a kernel is: the weight that a cost earns.
#pragma once

#include <algorithm>
#include <cmath>
#include <concepts>
#include <limits>
#include <numbers>

#include <likewise/bandwidth.hpp>
#include <likewise/kernel/formula.hpp>
#include <likewise/types.hpp>
#include <likewise/value.hpp>

namespace likewise {

/// What a kernel reads. The engine converts a metric's cost to it, in one place. `reported` is the distance
/// as kneighbors reports it: 1 - cos for Cosine, the square for SquaredEuclidean.
enum class KernelInput { nothing, cost, distance, squared_distance, reported };

/// Whether the kernel needs a metric that is a distance or its square.
constexpr bool reads_distance(KernelInput input) {
  return input != KernelInput::nothing && input != KernelInput::cost;
}

struct KernelTraits {
  KernelInput input = KernelInput::squared_distance;
  bool compact = false;            ///< zero beyond the bandwidth
  bool infinite_on_self = false;   ///< InverseDistance: where some d = 0, only those keys count
  bool positive_definite = false;  ///< on Euclidean distances
  bool operator==(const KernelTraits&) const = default;
};

/// A kernel writes log phi once, as an expression (kernel/formula.hpp) of its input u and of h: its length (bandwidth) or, for
/// a kernel of a cost, its temperature, within `usable_scale<T>`. Log weights, derivatives and the fused loop's SIMD code
/// are made of it. It falls with u; u = +inf (a masked pair) gives -inf, never NaN; distances are not negative.
/// check() throws where a parameter is not what it allows. A kernel may state besides:
///   log_slope(u, h)     the derivative, where that of the expression loses digits
///   log_weight_at(d, h) log phi of a distance d to all digits about the edge, where it has one (else read off log_phi)
///   steepest(h)         a bound on |d log phi / du|, for phi > 0 times phi's own share (else infinity: every digit is kept)
template <class K>
concept KernelLeaf = SlotValue<K> && requires(const K& k, double h) {
  { k.traits() } -> std::same_as<KernelTraits>;
  k.check();
  { k.log_phi(expressions::Input{}, h) } -> expressions::Expression;
  { k.log_integral(1, h) } -> std::same_as<double>;
};

namespace detail {
constexpr double infinity = std::numeric_limits<double>::infinity(),
                 largest = std::numeric_limits<double>::max();

/// Throws InvalidArgument naming the parameter.
void require_positive(const char* argument, double value);

/// h in T, kept where 1/h is a normal number: then 0/h is 0 and inf/h is inf in every kernel.
template <class T> T usable_scale(double h) {
  constexpr double smallest = std::numeric_limits<T>::min();
  return static_cast<T>(std::clamp(h, smallest, 0.25 / smallest));
}

/// log of the surface of the unit sphere in d dimensions, 2 pi^(d/2) / Gamma(d/2).
inline double log_sphere_surface(Index d) {
  const double half = 0.5 * static_cast<double>(d);
  return std::log(2.0) + half * std::log(std::numbers::pi) - std::lgamma(half);
}
/// log of the integral of a radial profile: sphere surface * h^d * integral_0^inf phi(r) r^(d-1) dr.
inline double log_radial_integral(Index d, double h, double log_profile_moment) {
  return log_sphere_surface(d) + static_cast<double>(d) * std::log(h) + log_profile_moment;
}
}  // namespace detail

}  // namespace likewise
