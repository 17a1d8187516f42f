// A mechanism meets points: its bandwidth is found, then its operator is made.
#include <likewise/operator.hpp>

#include "checks.hpp"
#include "engine/call.hpp"
#include "operator/make.hpp"
#include "operator/new_points.hpp"
#include "operator/scalings.hpp"
#include "select_bandwidth/among.hpp"

namespace likewise {
namespace {

/// Points, mechanism and weights checked, the bandwidth found.
template <class T>
detail::OperatorState<T> checked_keys(const Mechanism& mechanism, const Points<T>& Z,
                                      const Vector<double>& log_key_weights, const Execution& run) {
  const SelectedBandwidth found = bandwidth_among<T>(mechanism, Z, log_key_weights, run);
  return met_keys<T>(mechanism, found, Z, checked_log_weights(log_key_weights, Z.rows()));
}

/// New rows X for the keys of `origin`; where each point has its own scale, X's are found among the keys.
template <class T>
CrossOperator<T> extend(const detail::OperatorState<T>& origin, const Points<T>& X, Askers askers,
                        const std::string& storage, const Execution& run) {
  check_points<T>("X", X);
  const Vector<double> row_scale =
      row_scales_at<T>(origin.bandwidth, origin.mechanism.metric, origin.mechanism.kernel, X, *origin.keys,
                       {.log_key_weights = origin.log_key_weights}, run);
  return cross_operator_of<T>(origin, X, row_scale, askers, storage, run);
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
  if (right_is_key_weight(mechanism.normalization))
    return extend(keys, X, Askers::beside, options.storage, run);
  const std::string smallest = is_sparse(mechanism.support) ? "sparse" : "streamed";
  return extend(self_operator_of<T>(keys, smallest, run).state(), X, Askers::beside, options.storage, run);
}

template <class T> CrossOperator<T> SelfOperator<T>::at(const Points<T>& X, const Execution& run) const {
  const engine::Call call(run);
  return extend(this->state(), X, Askers::new_points, "auto", run);
}

template <class T>
CrossOperator<T> at_new_points(const SelfOperator<T>& P, const Points<T>& X, const Execution& run) {
  detail::OperatorState<T> origin = P.state();
  origin.mechanism.support = without_only_self(origin.mechanism.support);
  origin.mechanism.empty_row = EmptyRow::nearest;
  if (std::holds_alternative<Symmetric>(origin.mechanism.normalization)) {
    origin.mechanism.normalization = RowStochastic{};
    origin.scaling.log_right = origin.log_key_weights;
  }
  return extend(origin, X, Askers::new_points, "auto", run);
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
