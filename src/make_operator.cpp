// A mechanism meets points: its bandwidth is found, then its operator is made.
#include <likewise/neighbor_operator.hpp>
#include <likewise/operator.hpp>

#include "checks.hpp"
#include "engine/call.hpp"
#include "operator/make.hpp"
#include "operator/new_points.hpp"
#include "operator/scalings.hpp"
#include "select_bandwidth/among.hpp"

namespace likewise {
namespace {

/// Whether the mechanism is one, and speaks of these keys' distances.
template <class T> void check_keys(const Mechanism& mechanism, const PreparedKeys<T>& keys) {
  validate(mechanism);
  require(keys.metric() == mechanism.metric, "keys", "prepared under " + repr(mechanism.metric),
          repr(keys.metric()));
}

/// The keys with the mechanism's bandwidth among them.
template <class T>
detail::OperatorState<T> meet(const Mechanism& mechanism, const PreparedKeys<T>& keys, const Execution& run) {
  return met_keys<T>(mechanism, bandwidth_among<T>(mechanism, keys.points(), keys.log_weights(), run), keys);
}

/// New rows X for the keys of `origin`; where each point has its own scale, X's are found among the keys.
template <class T>
CrossOperator<T> extend(const detail::OperatorState<T>& origin, const Points<T>& X, Askers askers,
                        const std::string& storage, const Execution& run,
                        const Matrix<Index>* neighbors = nullptr) {
  check_points<T>("X", X);
  const detail::KeysState<T>& keys = origin.keys.state();
  const typename detail::KeysState<T>::SeenQueries seen_X(keys, X, run);
  RowScales of_rows;
  if (origin.bandwidth.row_scale.size()) {
    BandwidthOptions options{.log_key_weights = *keys.log_weights};
    if (origin.bandwidth.row_offset.size()) options.n_neighbors = neighbors_of(origin.mechanism);
    of_rows = row_scales_at<T>(origin.bandwidth, keys.seen.metric, origin.mechanism.kernel, seen_X,
                               keys.points(), options, run);
  }
  return cross_operator_of<T>(origin, X, seen_X, of_rows, askers, storage, run, neighbors);
}

}  // namespace

namespace detail {

/// What a mechanism knows of its keys, and what it finds out about them when a query first needs it.
template <class T> struct KeyedState {
  // Written out: clang before 16 makes no aggregate from arguments in parentheses.
  KeyedState(const Mechanism& with, const PreparedKeys<T>& of) : mechanism(with), keys(of) {}

  Mechanism mechanism;
  PreparedKeys<T> keys;
  Lazy<OperatorState<T>> resolved = {};          ///< with its bandwidth
  Lazy<OperatorState<T>> among_themselves = {};  ///< with r, where the normalization looks at the keys

  const OperatorState<T>& met(const Execution& run) const {
    return resolved.get([&] { return meet<T>(mechanism, keys, run); });
  }
  const OperatorState<T>& for_queries(const Execution& run) const {
    if (right_from(mechanism.normalization) != RightFrom::keys) return met(run);
    return among_themselves.get([&] {
      const std::string smallest = is_sparse(mechanism.support) ? "sparse" : "streamed";
      OperatorState<T> found = self_operator_of<T>(met(run), smallest, run).state();
      found.matrix = nullptr;  // queries need r only
      found.map = nullptr;
      found.log_row_sums = found.scaling.log_left = nullptr;
      return found;
    });
  }
};

}  // namespace detail

template <class T>
KeyedMechanism<T>::KeyedMechanism(const Mechanism& mechanism, const PreparedKeys<T>& keys)
    : state_(std::make_shared<const detail::KeyedState<T>>(mechanism, keys)) {
  check_keys<T>(mechanism, keys);
}

template <class T>
KeyedMechanism<T>::KeyedMechanism(const Mechanism& mechanism, const SelectedBandwidth& found,
                                  const PreparedKeys<T>& keys)
    : KeyedMechanism(mechanism, keys) {
  state_->resolved.offer(met_keys<T>(mechanism, found, keys));
}

template <class T> const detail::KeyedState<T>& KeyedMechanism<T>::state() const {
  require(state_ != nullptr, "mechanism", "one that has met keys", "none");
  return *state_;
}
template <class T> const Mechanism& KeyedMechanism<T>::mechanism() const { return state().met({}).mechanism; }
template <class T> const SelectedBandwidth& KeyedMechanism<T>::bandwidth() const {
  return state().met({}).bandwidth;
}
template <class T> const PreparedKeys<T>& KeyedMechanism<T>::keys() const { return state().keys; }

template <class T>
CrossOperator<T> KeyedMechanism<T>::at(const Points<T>& X, const Execution& run,
                                       const std::string& storage) const {
  const engine::Call call(run);
  return extend(state().for_queries(run), X, Askers::beside, storage, run);
}

template <class T>
SelfOperator<T> make_self_operator(const Mechanism& mechanism, const Points<T>& Z,
                                   const OperatorOptions& options, const Execution& run) {
  const engine::Call call(run);
  const PreparedKeys<T> keys(mechanism.metric, Z, options.log_key_weights, run);
  return make_self_operator<T>(mechanism, keys, options.storage, run);
}

template <class T>
SelfOperator<T> make_self_operator(const Mechanism& mechanism, const PreparedKeys<T>& keys,
                                   const std::string& storage, const Execution& run) {
  const engine::Call call(run);
  check_keys<T>(mechanism, keys);
  return self_operator_of<T>(meet<T>(mechanism, keys, run), storage, run);
}

template <class T>
SelfOperator<T> self_operator_of_neighbors(const Mechanism& mechanism, const PreparedKeys<T>& keys,
                                           const Matrix<Index>& neighbors, const Execution& run,
                                           const std::string& storage) {
  const engine::Call call(run);
  check_keys<T>(mechanism, keys);
  return self_operator_of<T>(meet<T>(mechanism, keys, run), storage, run, &neighbors);
}

template <class T>
CrossOperator<T> cross_operator_of_neighbors(const KeyedMechanism<T>& keyed, const Points<T>& X,
                                             const Matrix<Index>& neighbors, const Execution& run,
                                             const std::string& storage) {
  const engine::Call call(run);
  return extend(keyed.state().for_queries(run), X, Askers::beside, storage, run, &neighbors);
}

template <class T>
CrossOperator<T> make_cross_operator(const Mechanism& mechanism, const Points<T>& X, const Points<T>& Z,
                                     const OperatorOptions& options, const Execution& run) {
  const engine::Call call(run);
  const PreparedKeys<T> keys(mechanism.metric, Z, options.log_key_weights, run);
  return KeyedMechanism<T>(mechanism, keys).at(X, run, options.storage);
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
    origin.scaling.log_right = origin.keys.state().log_weights;
  }
  return extend(origin, X, Askers::new_points, "auto", run);
}

#define LIKEWISE_INSTANTIATE(T)                                                                              \
  template class KeyedMechanism<T>;                                                                          \
  template SelfOperator<T> self_operator_of_neighbors(                                                       \
      const Mechanism&, const PreparedKeys<T>&, const Matrix<Index>&, const Execution&, const std::string&); \
  template CrossOperator<T> cross_operator_of_neighbors(const KeyedMechanism<T>&, const Points<T>&,          \
                                                        const Matrix<Index>&, const Execution&,              \
                                                        const std::string&);                                 \
  template SelfOperator<T> make_self_operator(const Mechanism&, const PreparedKeys<T>&, const std::string&,  \
                                              const Execution&);                                             \
  template SelfOperator<T> make_self_operator(const Mechanism&, const Points<T>&, const OperatorOptions&,    \
                                              const Execution&);                                             \
  template CrossOperator<T> make_cross_operator(const Mechanism&, const Points<T>&, const Points<T>&,        \
                                                const OperatorOptions&, const Execution&);                   \
  template CrossOperator<T> SelfOperator<T>::at(const Points<T>&, const Execution&) const;                   \
  template CrossOperator<T> at_new_points(const SelfOperator<T>&, const Points<T>&, const Execution&);
LIKEWISE_INSTANTIATE(float)
LIKEWISE_INSTANTIATE(double)
#undef LIKEWISE_INSTANTIATE

}  // namespace likewise
