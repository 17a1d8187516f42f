// A mechanism meets points: its bandwidth is found, then its operator is made.
#include <likewise/operator.hpp>
#include <likewise/select_bandwidth.hpp>

#include "checks.hpp"
#include "engine/call.hpp"
#include "operator/make.hpp"
#include "operator/new_points.hpp"
#include "operator/scalings.hpp"

namespace likewise {
namespace {

SelectedBandwidth number(double length) { return {.length = length}; }

template <class T>
SelectedBandwidth find_bandwidth(const Mechanism& m, const Points<T>& Z, const Vector<double>& log_w,
                                 const Execution& run) {
  const Bandwidth* asked = bandwidth_of(m.kernel);
  if (!asked || asked->is_number()) return number(scale_of(m.kernel));
  const std::string rule = asked->is_open() ? "median" : asked->rule();
  require(rule != "loo", "bandwidth", "a number or a rule that needs no target on a bare mechanism", "'loo'");
  return select_bandwidth<T>(rule, m.metric, m.kernel, Z, {.log_key_weights = log_w}, run);
}

/// Points, mechanism and weights checked, the bandwidth found.
template <class T>
detail::OperatorState<T> checked_keys(const Mechanism& mechanism, const Points<T>& Z,
                                      const Vector<double>& log_key_weights, const Execution& run) {
  check_points<T>("Z", Z);
  validate(mechanism);
  const Vector<double> log_w = checked_log_weights(log_key_weights, Z.rows());
  return met_keys<T>(mechanism, find_bandwidth<T>(mechanism, Z, log_key_weights, run), Z, log_w);
}

/// New rows X for the keys of `origin`; where each point has its own scale, X's are found among the keys.
template <class T>
CrossOperator<T> extend(const detail::OperatorState<T>& origin, const Points<T>& X,
                        const std::string& storage, const Execution& run) {
  check_points<T>("X", X);
  const Vector<double> row_scale =
      row_scales_at<T>(origin.bandwidth, origin.mechanism.metric, origin.mechanism.kernel, X, *origin.keys,
                       {.log_key_weights = origin.log_key_weights}, run);
  return cross_operator_of<T>(origin, X, row_scale, storage, run);
}

}  // namespace

template <class T>
SelfOperator<T> make_self_operator(const Mechanism& mechanism, const Points<T>& Z,
                                   const OperatorOptions& options, const Execution& run) {
  const engine::Call call(run);
  return self_operator_of<T>(checked_keys<T>(mechanism, Z, options.log_key_weights, run), options.storage,
                             run);
}

template <class T>
CrossOperator<T> make_cross_operator(const Mechanism& mechanism, const Points<T>& X, const Points<T>& Z,
                                     const OperatorOptions& options, const Execution& run) {
  const engine::Call call(run);
  const detail::OperatorState<T> keys = checked_keys<T>(mechanism, Z, options.log_key_weights, run);
  if (right_is_key_weight(mechanism.normalization)) return extend(keys, X, options.storage, run);
  const std::string smallest = is_sparse(mechanism.support) ? "sparse" : "streamed";
  return extend(self_operator_of<T>(keys, smallest, run).state(), X, options.storage, run);
}

template <class T> CrossOperator<T> SelfOperator<T>::at(const Points<T>& X, const Execution& run) const {
  const engine::Call call(run);
  return extend(this->state(), X, "auto", run);
}

template <class T>
CrossOperator<T> at_new_points(const SelfOperator<T>& P, const Points<T>& X, const Execution& run) {
  detail::OperatorState<T> origin = P.state();
  Support others;
  for (const PairFilter& filter : origin.mechanism.support.filters())
    if (!std::holds_alternative<LeaveOneOut>(filter))
      others = others & std::visit([](const auto& leaf) { return Support(leaf); }, filter);
  const Support& own = origin.mechanism.support;
  if (const Neighbors* neighbors = own.neighbors()) others = others & *neighbors;
  if (const auto* radius = std::get_if<Radius>(&own.selector())) others = others & *radius;
  origin.mechanism.support = others;
  origin.mechanism.empty_row = EmptyRow::nearest;
  if (std::holds_alternative<Symmetric>(origin.mechanism.normalization)) {
    origin.mechanism.normalization = RowStochastic{};
    origin.scaling.log_right = origin.log_key_weights;
  }
  return extend(origin, X, "auto", run);
}

#define LIKEWISE_INSTANTIATE(T)                                                                           \
  template SelfOperator<T> make_self_operator(const Mechanism&, const Points<T>&, const OperatorOptions&, \
                                              const Execution&);                                          \
  template CrossOperator<T> make_cross_operator(const Mechanism&, const Points<T>&, const Points<T>&,     \
                                                const OperatorOptions&, const Execution&);                \
  template CrossOperator<T> SelfOperator<T>::at(const Points<T>&, const Execution&) const;                \
  template CrossOperator<T> at_new_points(const SelfOperator<T>&, const Points<T>&, const Execution&);
LIKEWISE_INSTANTIATE(float)
LIKEWISE_INSTANTIATE(double)
#undef LIKEWISE_INSTANTIATE

}  // namespace likewise
