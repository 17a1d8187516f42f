// The rules from the spread of all points: median, scott, silverman.
#include <algorithm>
#include <cmath>
#include <optional>

#include <likewise/error.hpp>

#include "select_bandwidth/pairs.hpp"

namespace likewise::bandwidths {
namespace {

/// Mean of d^2 over all ordered pairs by the lift: mean a + mean b - <mean A, mean B>. O(n d).
template <class M>
double lifted_mean_square(const M& metric, const Points<double>& Z, const Vector<double>& counts) {
  const Vector<double> share = counts / counts.sum();
  Matrix<double> points = Z;
  if (metric.traits().shift_invariant) points.rowwise() -= (share.transpose() * Z).eval();
  const Lift<double> queries = metric.template lift_queries<double>(points);
  const Lift<double> keys = metric.template lift_keys<double>(points);
  return share.dot(queries.bias) + share.dot(keys.bias)
         - (share.transpose() * queries.features).dot(share.transpose() * keys.features);
}

std::optional<double> lifted_mean_square(const RuleInput& request) {
  return std::visit(
      [&](const auto& leaf) -> std::optional<double> {
        if constexpr (LiftedMetric<std::decay_t<decltype(leaf)>>)
          if (leaf.traits().lift_power() == 2) return lifted_mean_square(leaf, request.Z, request.counts);
        return std::nullopt;
      },
      request.metric);
}

/// Mean of d^2 over all ordered pairs of the sample, a point and itself included.
double sampled_mean_square(const RuleInput& request) {
  const Pairs pairs = sample_pairs(request);
  double sum = 0, count = pairs.self;
  for (const Counted& pair : pairs.distances) {
    sum += pair.count * pair.value * pair.value;
    count += pair.count;
  }
  return sum / count;
}

/// All points are copies of one, where the lift would leave a rounding instead of 0.
bool one_place(const Points<double>& Z) { return (Z.rowwise() - Z.row(0)).isZero(0); }

/// (sum w)^2 / sum w^2: how many equal weights would tell as much. It does not depend on the sum of the weights.
double effective_size(const Vector<double>& counts) { return 1 / (counts / counts.sum()).squaredNorm(); }

/// s n^(-1/(d+4)), s the standard deviation per dimension.
double scott_length(const RuleInput& request) {
  require(!points_are_costs(request.metric), "bandwidth",
          "a number or a rule that needs no dimension, for precomputed costs", "'scott' or 'silverman'");
  if (one_place(request.Z)) return any_length;
  const std::optional<double> lifted = lifted_mean_square(request);
  const double mean_square = lifted ? *lifted : sampled_mean_square(request);
  if (!(mean_square > 0)) return any_length;
  const double d = static_cast<double>(request.Z.cols());
  return std::sqrt(mean_square / (2 * d)) * std::pow(effective_size(request.counts), -1 / (d + 4));
}

}  // namespace

SelectedBandwidth median(const RuleInput& request) {
  std::vector<Counted> distances = sample_pairs(request).distances;
  // Copies of one point make no pair, so that a weight of 2 equals the row twice.
  const auto no_pair = [](const Counted& pair) { return pair.value == 0 || pair.count == 0; };
  distances.erase(std::remove_if(distances.begin(), distances.end(), no_pair), distances.end());
  if (distances.empty()) return {.length = any_length, .rule = "median"};
  return {.length = counted_median(distances), .rule = "median"};
}

SelectedBandwidth scott(const RuleInput& request) {
  return {.length = scott_length(request), .rule = "scott"};
}

SelectedBandwidth silverman(const RuleInput& request) {
  const double d = static_cast<double>(request.Z.cols());
  const double factor = one_place(request.Z) ? 1 : std::pow(4 / (d + 2), 1 / (d + 4));
  return {.length = factor * scott_length(request), .rule = "silverman"};
}

}  // namespace likewise::bandwidths
