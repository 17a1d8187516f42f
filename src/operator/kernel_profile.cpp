#include "operator/kernel_profile.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

namespace likewise {
namespace {

using engine::Profile;
using Kind = Profile::Kind;
constexpr double log2_e = std::numbers::log2e, infinity = std::numeric_limits<double>::infinity();

template <class T> struct Profiles {
  double h;

  Profile operator()(const Gaussian&) const {
    return {.kind = Kind::linear, .inner = 1 / h, .inner_again = 0.5 * log2_e / h};
  }
  Profile operator()(const Exponential&) const {
    return {.kind = Kind::linear, .inner = log2_e / h, .upper_bound = infinity};
  }
  Profile operator()(const Laplacian&) const { return {.kind = Kind::linear, .inner = log2_e / h}; }
  Profile operator()(const Indicator& k) const {
    if (k.bandwidth.is_open()) return {};
    const T length = static_cast<T>(h);
    return {.kind = Kind::step,
            .outer = static_cast<double>(std::min(length * length, std::numeric_limits<T>::max()))};
  }
  Profile operator()(const Epanechnikov&) const {
    return {.kind = Kind::epanechnikov, .inner = 1 / h, .inner_again = 1 / h};
  }
  Profile operator()(const Tricube&) const { return {.kind = Kind::tricube, .inner = 1 / h}; }
  Profile operator()(const StudentT& k) const {
    constexpr double most = std::numeric_limits<T>::max();
    return {.kind = Kind::student_t,
            .inner = 1 / h,
            .inner_again = std::min(1 / h / k.df, most),
            .outer = 0.5 * (k.df + 1)};
  }
  Profile operator()(const AlphaDecay& k) const {
    return {.kind = Kind::power, .inner = 1 / h, .outer = log2_e, .exponent = k.decay};
  }
  Profile operator()(const InverseDistance&) const {
    return {.kind = Kind::inverse,
            .outer = InverseDistance::log_weight_on_self * log2_e,
            .upper_bound = infinity};
  }
};

struct Slopes {
  double h;

  double operator()(const Gaussian&) const { return 0.5 / h / h; }
  double operator()(const Exponential&) const { return 1 / h; }
  double operator()(const Laplacian&) const { return 1 / h; }
  double operator()(const Epanechnikov&) const { return 1 / h / h; }
  double operator()(const Tricube&) const { return 2 / h; }  // 9 r^2 (1 - r^3)^2 at r^3 = 1/4
  double operator()(const StudentT& k) const { return 0.5 * (k.df + 1) / k.df / h / h; }
  // Which pairs lie within h, powers near it and how near a point is hang on every digit.
  double operator()(const Indicator&) const { return infinity; }
  double operator()(const AlphaDecay&) const { return infinity; }
  double operator()(const InverseDistance&) const { return infinity; }
};

}  // namespace

template <class T> Profile profile_of(const Kernel& kernel, double scale) {
  return std::visit(Profiles<T>{static_cast<double>(detail::usable_scale<T>(scale))}, kernel);
}
template Profile profile_of<float>(const Kernel&, double);
template Profile profile_of<double>(const Kernel&, double);

double slope_of(const Kernel& kernel, double scale) { return std::visit(Slopes{scale}, kernel); }

}  // namespace likewise
