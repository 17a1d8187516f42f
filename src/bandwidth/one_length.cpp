#include "bandwidth/one_length.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include <likewise/error.hpp>

#include "bandwidth/distances.hpp"

namespace likewise::bandwidths {
namespace {

// Where all points are one place every length gives the same weights.
constexpr double any_length = 1;

/// The dimension that Scott's rule divides by: features, or the rank of a factor.
Index dimension_of(const Metric& metric, Index n_features) {
  require(!std::holds_alternative<Precomputed>(metric), "bandwidth",
          "a number or a rule without a dimension ('median', 'bgh', ...) for precomputed costs",
          "'scott' or 'silverman'");
  if (const auto* mahalanobis = std::get_if<Mahalanobis>(&metric))
    return std::min(mahalanobis->factor->rows(), mahalanobis->factor->cols());
  return n_features;
}

/// sum_ij w_i w_j d_ij^2 / (sum w)^2
double mean_squared_distance(const Pairs& pairs) {
  const double all = pairs.weight_at_zero + 2 * pairs.weights.sum();
  return 2 * pairs.weights.dot(pairs.distances.cwiseAbs2()) / all;
}

/// d log S / d log eps of S(eps) = sum_ij w_i w_j exp(-d^2/(4 eps)).
double log_slope(const Pairs& pairs, double eps) {
  const Eigen::ArrayXd u = pairs.distances.array().square() / (4 * eps);
  const Eigen::ArrayXd weighted = pairs.weights.array() * (-u).exp();
  return 2 * (weighted * u).sum() / (pairs.weight_at_zero + 2 * weighted.sum());
}

/// The largest value of f between a and b, f having one top there, to a relative width of 1e-3.
template <class F> double golden_section_maximum(const F& f, double a, double b) {
  const double ratio = (std::sqrt(5.0) - 1) / 2;
  double left = b - ratio * (b - a), right = a + ratio * (b - a);
  double f_left = f(left), f_right = f(right);
  while (b - a > 1e-3) {
    if (f_left > f_right) {
      b = right;
      right = left;
      f_right = f_left;
      f_left = f(left = b - ratio * (b - a));
    } else {
      a = left;
      left = right;
      f_left = f_right;
      f_right = f(right = a + ratio * (b - a));
    }
  }
  return 0.5 * (a + b);
}

}  // namespace

SelectedBandwidth median(const Metric& metric, const Points<double>& Z, const BandwidthOptions& options,
                         const Execution& run) {
  const Pairs pairs = pairs_of(metric, sample_points(metric, Z, options, options.max_points), run);
  const Index n = pairs.distances.size();
  if (n == 0) return {.length = any_length, .rule = "median"};
  std::vector<Index> order(static_cast<std::size_t>(n));
  std::iota(order.begin(), order.end(), Index{0});
  std::sort(order.begin(), order.end(),
            [&](Index a, Index b) { return pairs.distances(a) < pairs.distances(b); });
  // The first distance below which lies more than half of the weight; the mean of two where it is exactly half.
  const double half = 0.5 * pairs.weights.sum();
  double below = 0;
  for (std::size_t k = 0; k < order.size(); ++k) {
    below += pairs.weights(order[k]);
    const double here = pairs.distances(order[k]);
    if (below > half * (1 + 1e-12)) return {.length = here, .rule = "median"};
    if (below >= half * (1 - 1e-12) && k + 1 < order.size())
      return {.length = 0.5 * (here + pairs.distances(order[k + 1])), .rule = "median"};
  }
  return {.length = pairs.distances(order.back()), .rule = "median"};
}

SelectedBandwidth scott_or_silverman(const std::string& rule, const Metric& metric, const Points<double>& Z,
                                     const BandwidthOptions& options, const Execution& run) {
  const double d = static_cast<double>(dimension_of(metric, Z.cols()));
  const Vector<double> w = relative_weights(options.log_key_weights, Z.rows());
  const double n = w.sum() * w.sum() / w.squaredNorm();
  const Pairs pairs = pairs_of(metric, sample_points(metric, Z, options, options.max_points), run);
  const double deviation = std::sqrt(mean_squared_distance(pairs) / (2 * d));
  const double factor = rule == "silverman" ? std::pow(4 / (d + 2), 1 / (d + 4)) : 1;
  return {.length = deviation > 0 ? deviation * factor * std::pow(n, -1 / (d + 4)) : any_length,
          .rule = rule};
}

SelectedBandwidth bgh(const Metric& metric, const Points<double>& Z, const BandwidthOptions& options,
                      const Execution& run) {
  const Pairs pairs = pairs_of(metric, sample_points(metric, Z, options, options.max_points), run);
  if (pairs.distances.size() == 0) return {.length = any_length, .rule = "bgh", .intrinsic_dimension = 0.0};
  constexpr int n_grid = 48;
  // eps from where even nearest pairs are far (u = 32) to where all are near (u = 1/8).
  const double first = 2 * std::log(pairs.distances.minCoeff()) - std::log(128.0);
  const double last = 2 * std::log(pairs.distances.maxCoeff()) - std::log(0.5);
  SelectedBandwidth found{.rule = "bgh"};
  int best = 0;
  for (int k = 0; k < n_grid; ++k) {
    const double log_eps = first + (last - first) * k / (n_grid - 1);
    found.grid.push_back(std::sqrt(2 * std::exp(log_eps)));
    found.curve.push_back(log_slope(pairs, std::exp(log_eps)));
    if (found.curve.back() > found.curve[static_cast<std::size_t>(best)]) best = k;
  }
  const double step = (last - first) / (n_grid - 1), at = first + step * best;
  const double log_eps =
      golden_section_maximum([&](double x) { return log_slope(pairs, std::exp(x)); }, at - step, at + step);
  found.length = std::sqrt(2 * std::exp(log_eps));
  found.intrinsic_dimension = 2 * log_slope(pairs, std::exp(log_eps));
  return found;
}

}  // namespace likewise::bandwidths
