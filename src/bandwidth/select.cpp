#include <likewise/error.hpp>
#include <likewise/select_bandwidth.hpp>

#include "bandwidth/one_length.hpp"
#include "bandwidth/point_scales.hpp"
#include "operator/checks.hpp"

namespace likewise {
namespace {

void check(const Metric& metric, const BandwidthOptions& options, Index n) {
  require_law(traits(metric).distance_power > 0, metric, "a distance", "a bandwidth rule");
  require(options.n_neighbors >= 1, "n_neighbors", "an int >= 1", options.n_neighbors);
  require(options.max_points >= 2, "max_points", "an int >= 2", options.max_points);
  checked_log_weights(options.log_key_weights, n);
}

}  // namespace

template <class T>
SelectedBandwidth select_bandwidth(const std::string& rule, const Metric& metric, const Kernel& kernel,
                                   const Points<T>& Z, const BandwidthOptions& options,
                                   const Execution& run) {
  check_points<T>("Z", Z);
  check(metric, options, Z.rows());
  const Matrix<double> points = Z.template cast<double>();
  if (rule == "median") return bandwidths::median(metric, points, options, run);
  if (rule == "scott" || rule == "silverman")
    return bandwidths::scott_or_silverman(rule, metric, points, options, run);
  if (rule == "bgh") return bandwidths::bgh(metric, points, options, run);
  SelectedBandwidth found{.length = 1, .rule = rule};
  if (rule == "self_tuning") {
    found.row_scale = bandwidths::neighbor_scales(metric, points, points, true, options, run);
    found.key_scale = found.row_scale;
    return found;
  }
  if (rule == "perplexity") {
    found.row_scale = bandwidths::entropy_scales(metric, kernel, points, points, true, options, run);
    return found;
  }
  refuse("bandwidth",
         "a rule that needs no target ('median', 'scott', 'silverman', 'bgh', 'self_tuning', 'perplexity')",
         "'" + rule + "'");
}

template <class T>
Vector<double> row_scales_at(const SelectedBandwidth& selected, const Metric& metric, const Kernel& kernel,
                             const Points<T>& X, const Points<T>& Z, const BandwidthOptions& options,
                             const Execution& run) {
  check_points<T>("X", X);
  const Matrix<double> queries = X.template cast<double>(), keys = Z.template cast<double>();
  if (selected.rule == "self_tuning")
    return bandwidths::neighbor_scales(metric, queries, keys, false, options, run);
  if (selected.rule == "perplexity")
    return bandwidths::entropy_scales(metric, kernel, queries, keys, false, options, run);
  return {};
}

#define LIKEWISE_INSTANTIATE(T)                                                                             \
  template SelectedBandwidth select_bandwidth(const std::string&, const Metric&, const Kernel&,             \
                                              const Points<T>&, const BandwidthOptions&, const Execution&); \
  template Vector<double> row_scales_at(const SelectedBandwidth&, const Metric&, const Kernel&,             \
                                        const Points<T>&, const Points<T>&, const BandwidthOptions&,        \
                                        const Execution&);
LIKEWISE_INSTANTIATE(float)
LIKEWISE_INSTANTIATE(double)
#undef LIKEWISE_INSTANTIATE

}  // namespace likewise
