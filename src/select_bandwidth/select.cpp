// select_bandwidth and row_scales_at: checks, and the rule of that name.
#include <likewise/select_bandwidth.hpp>

#include <cmath>

#include <likewise/error.hpp>

#include "checks.hpp"
#include "engine/call.hpp"
#include "engine/exp_weights.hpp"
#include "names.hpp"
#include "select_bandwidth/among.hpp"
#include "select_bandwidth/rule.hpp"

namespace likewise {
namespace {

using bandwidths::RuleInput;
using Rule = SelectedBandwidth (*)(const RuleInput&);

const detail::NameTable<Rule>& rules() {
  static const detail::NameTable<Rule> table = {
      {"median", bandwidths::median},
      {"scott", bandwidths::scott},
      {"silverman", bandwidths::silverman},
      {"bgh", bandwidths::bgh},
      {"self_tuning", bandwidths::self_tuning},
      {"perplexity", bandwidths::perplexity},
      {"umap", bandwidths::umap},
  };
  return table;
}

void check_metric(const Metric& metric, const std::string& rule) {
  require_law(traits(metric).distance_power > 0, metric, "a distance", "bandwidth='" + rule + "'");
}

/// exp(log w) with at least one key that counts.
Vector<double> checked_counts(const Vector<double>& log_key_weights, Index n_keys) {
  const Vector<double> counts =
      engine::exp_weights(checked_log_weights(log_key_weights, n_keys).array().eval()).matrix();
  require(counts.sum() > 0 && std::isfinite(counts.sum()), "log_key_weights",
          "such that the weights have a positive, finite sum", counts.sum());
  return counts;
}

}  // namespace

template <class T>
SelectedBandwidth select_bandwidth(const std::string& rule, const Metric& metric, const Kernel& kernel,
                                   const Points<T>& Z, const BandwidthOptions& options,
                                   const Execution& run) {
  const engine::Call call(run);
  require(rule != "loo", "bandwidth", "a number or a rule without a target ('loo' is loo_bandwidth)",
          "'loo'");
  const Rule find = detail::value_named(rule, "bandwidth", rules());
  check_points<T>("Z", Z);
  check_metric(metric, rule);
  require(options.max_points >= 2, "max_points", "an int of at least 2", options.max_points);
  const SeenMetric looks = seen(metric);
  if (looks.maps())
    return select_bandwidth<T>(rule, looks.metric, kernel, apply<T>(*looks.keys, Z), options, run);
  const Matrix<double> points = Z.template cast<double>();
  const Points<double> keys = points;
  const Vector<double> counts = checked_counts(options.log_key_weights, Z.rows());
  SelectedBandwidth found = find(RuleInput{looks.metric, kernel, keys, counts, options, run});
  const bool scales_are_lengths =
      found.row_scale.size() == 0 || (found.row_scale.allFinite() && found.row_scale.minCoeff() > 0);
  require(found.length > 0 && std::isfinite(found.length) && scales_are_lengths, "metric",
          "one whose distances are not negative and some of them finite, for bandwidth='" + rule + "'",
          repr(metric));
  return found;
}

template <class T>
RowScales row_scales_at(const SelectedBandwidth& selected, const Metric& metric, const Kernel& kernel,
                        const Points<T>& X, const Points<T>& Z, const BandwidthOptions& options,
                        const Execution& run) {
  const engine::Call call(run);
  if (selected.row_scale.size() == 0) return {};
  check_points<T>("X", X);
  const SeenMetric looks = seen(metric);
  if (looks.maps())
    return row_scales_at<T>(selected, looks.metric, kernel, apply<T>(*looks.queries, X),
                            apply<T>(*looks.keys, Z), options, run);
  const Matrix<double> queries = X.template cast<double>(), points = Z.template cast<double>();
  const Points<double> keys = points;
  const Vector<double> counts = checked_counts(options.log_key_weights, Z.rows());
  const RuleInput request{looks.metric, kernel, keys, counts, options, run};
  if (selected.row_offset.size()) return bandwidths::umap_scales(request, queries);
  if (selected.key_scale.size() == 0) return {bandwidths::perplexity_scales(request, queries), {}};
  return {bandwidths::self_tuning_scales(request, queries, selected.key_scale.minCoeff()), {}};
}

Index neighbors_of(const Mechanism& m) {
  const Neighbors* neighbors = m.support.neighbors();
  require(neighbors && std::holds_alternative<Laplacian>(m.kernel), "bandwidth",
          "another rule than 'umap', which is one of Laplacian() on Neighbors(k)",
          repr(m.kernel) + " on " + repr(m.support));
  return neighbors->n_neighbors - (neighbors->include_self ? 1 : 0);
}

template <class T>
SelectedBandwidth bandwidth_among(const Mechanism& m, const Points<T>& Z, const Vector<double>& log_w,
                                  const Execution& run) {
  validate(m);
  const Bandwidth* asked = bandwidth_of(m.kernel);
  if (!asked || asked->is_number()) return {.length = scale_of(m.kernel)};
  const std::string rule = asked->is_open() ? "median" : asked->rule();
  require(rule != "loo", "bandwidth", "a number or a rule that needs no target on a bare mechanism", "'loo'");
  BandwidthOptions options{.log_key_weights = log_w};
  if (rule == "umap") options.n_neighbors = neighbors_of(m);
  return select_bandwidth<T>(rule, m.metric, m.kernel, Z, options, run);
}

#define LIKEWISE_INSTANTIATE(T)                                                                              \
  template SelectedBandwidth select_bandwidth(const std::string&, const Metric&, const Kernel&,              \
                                              const Points<T>&, const BandwidthOptions&, const Execution&);  \
  template RowScales row_scales_at(const SelectedBandwidth&, const Metric&, const Kernel&, const Points<T>&, \
                                   const Points<T>&, const BandwidthOptions&, const Execution&);             \
  template SelectedBandwidth bandwidth_among(const Mechanism&, const Points<T>&, const Vector<double>&,      \
                                             const Execution&);
LIKEWISE_INSTANTIATE(float)
LIKEWISE_INSTANTIATE(double)
#undef LIKEWISE_INSTANTIATE

}  // namespace likewise
