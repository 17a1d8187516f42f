#include <likewise/algorithms/kernel_density.hpp>

#include <cmath>
#include <limits>
#include <optional>

#include <Eigen/LU>

#include <likewise/operator.hpp>

#include "checks.hpp"
#include "engine/call.hpp"
#include "engine/exp_weights.hpp"
#include "parts/training_data.hpp"

namespace likewise {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

/// log of the volume of { |u|_p <= 1 } in R^d: (2 Gamma(1 + 1/p))^d / Gamma(1 + d/p), for p = infinity 2^d.
double log_unit_ball(Index d, double p) {
  const double n = static_cast<double>(d);
  return n * (std::log(2.0) + std::lgamma(1 + 1 / p)) - std::lgamma(1 + n / p);
}

/// By how much the ball { z : d(x, z) <= 1 } of a metric is larger than the Euclidean one, in log.
double log_ball_ratio(const Metric& metric, Index d) {
  const std::optional<CoordinateSum> sum = coordinate_sum(metric);
  if (!sum) return infinity;
  const double of_power = sum->power == 2 ? 0 : log_unit_ball(d, sum->power) - log_unit_ball(d, 2);
  if (!sum->factor) return of_power;
  const Matrix<double>& W = *sum->factor;
  return W.rows() == W.cols() ? of_power - std::log(std::abs(W.determinant())) : infinity;
}

/// exp(-c/t) of a cost that is a distance is the Laplacian of length t; of a squared one it is Gaussian.
Kernel of_distance(const Kernel& kernel, int distance_power) {
  const auto* exponential = std::get_if<Exponential>(&kernel);
  return exponential && distance_power == 1 ? Kernel(Laplacian{exponential->temperature}) : kernel;
}

}  // namespace

double log_kernel_integral(const Metric& metric, const Kernel& kernel, Index d) {
  const double ratio = log_ball_ratio(metric, d);
  require(std::isfinite(ratio), "metric",
          "one that comes from a norm (Euclidean, SquaredEuclidean, Mahalanobis with a square factor of full "
          "rank, "
          "Manhattan, Chebyshev, Minkowski), so that a density has a constant",
          repr(metric));
  const double integral =
      log_integral(of_distance(kernel, traits(metric).distance_power), d, scale_of(kernel));
  require(std::isfinite(integral), "kernel",
          "one with a finite integral over " + std::to_string(d) + " dimensions", repr(kernel));
  return ratio + integral;
}

template <class T>
KernelDensity<T> fit_kernel_density(const Points<T>& X, const KernelDensityOptions& o, const Execution& run) {
  const engine::Call call(run);
  check_points<T>("X", X);
  Vector<double> log_w = log_sample_weights(o.sample_weight, X.rows());
  const Kernel kernel = filled_kernel(o.kernel, o.bandwidth, AllPairs{});
  const Mechanism asked{o.metric, kernel, AllPairs{}, Unnormalized{}};
  auto [mechanism, found] = resolve_bandwidth<T>(asked, X, log_w, run);
  require(found.row_scale.size() == 0, "bandwidth", "a number or a rule with one length for all points",
          "'" + found.rule + "'");
  const SeenMetric looks = seen(o.metric);  // of a linear map the norm that it makes
  const double log_constant =
      log_kernel_integral(looks.maps() ? o.metric : looks.metric, mechanism.kernel, X.cols());
  log_w.array() -= engine::log_sum_exp(log_w);
  return {KeyedMechanism<T>(mechanism, found, PreparedKeys<T>(o.metric, X, log_w, run)), log_constant, found};
}

template <class T>
Vector<double> KernelDensity<T>::score_samples(const Points<T>& X, const Execution& run) const {
  const engine::Call call(run);
  return keyed.at(X, run).log_row_sums().array() - log_constant;
}

#define LIKEWISE_INSTANTIATE(T)                                                               \
  template struct KernelDensity<T>;                                                           \
  template KernelDensity<T> fit_kernel_density(const Points<T>&, const KernelDensityOptions&, \
                                               const Execution&);
LIKEWISE_INSTANTIATE(float)
LIKEWISE_INSTANTIATE(double)
#undef LIKEWISE_INSTANTIATE

}  // namespace likewise
