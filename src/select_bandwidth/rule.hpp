// What every bandwidth rule is given, and the pieces they share.
#pragma once

#include <utility>
#include <vector>

#include <likewise/select_bandwidth.hpp>

#include "engine/cost_source.hpp"

namespace likewise::bandwidths {

/// One question to a rule, checked: points in float64 and how often each counts.
struct RuleInput {
  const Metric& metric;
  const Kernel& kernel;
  const Points<double>& Z;
  const Vector<double>& counts;  ///< exp(log_key_weights), (n,)
  const BandwidthOptions& options;
  const Execution& run;
};

/// A distance from what kneighbors reports or from a cost that is d^power.
inline double as_distance(const MetricTraits& laws, double reported) {
  return engine::convert_power(reported, engine::unit_power(laws, engine::CostUnit::reported), 1);
}

/// The rows of those indices.
Matrix<double> rows_at(const Points<double>& points, const std::vector<Index>& indices);

/// Where all points are in one place every length gives the same weights.
constexpr double any_length = 1;

/// A value that counts `count` times.
struct Counted {
  double value, count;
};
/// The least value such that the values up to it count at least `target` together; the largest if none does.
/// O(n). Counts are compared with a relative slack of 1e-12. Reorders the values.
double counted_quantile(std::vector<Counted>& values, double target);
/// The middle value, or the mean of the two in the middle.
double counted_median(std::vector<Counted>& values);

/// From low to high with steps of at most `ratio`, at most `most` of them; only low where both are equal.
std::vector<double> log_grid(double low, double high, double ratio, int most);
/// The neighbors of entry `at`, itself at an end.
std::pair<double, double> bracket(const std::vector<double>& grid, std::size_t at);

// Each rule, see select_bandwidth.hpp.
SelectedBandwidth median(const RuleInput& request);
SelectedBandwidth scott(const RuleInput& request);
SelectedBandwidth silverman(const RuleInput& request);
SelectedBandwidth bgh(const RuleInput& request);
SelectedBandwidth self_tuning(const RuleInput& request);
SelectedBandwidth perplexity(const RuleInput& request);
SelectedBandwidth umap(const RuleInput& request);

/// s of each row of X among the keys of the request. A scale of 0 (as many copies as neighbors asked for)
/// becomes the smallest positive one, or `smallest` where that is given.
Vector<double> self_tuning_scales(const RuleInput& request, const Points<double>& X, double smallest = 0);
/// s^2 of each row of X among the keys of the request.
Vector<double> perplexity_scales(const RuleInput& request, const Points<double>& X);
/// s^2 and rho of each row of X among the keys of the request.
RowScales umap_scales(const RuleInput& request, const Points<double>& X);

}  // namespace likewise::bandwidths
