// Keys that many calls ask: what is known of them before any query is found out once.
#pragma once

#include <cstddef>
#include <memory>

#include <likewise/execution.hpp>
#include <likewise/metric.hpp>
#include <likewise/types.hpp>

namespace likewise {

namespace detail {
template <class T> struct KeysState;  // src/neighbors/keys_state.hpp
}

/// Points under a metric, checked and copied once. Their lift, their tree and which of them a search takes are found when
/// they are first wanted, and kept: beside the points at most as much memory again, and the tree (about as much). Copies
/// share everything, and any number of threads may ask. Results are those of the same call with the points themselves, to
/// the last bit.
template <class T> class PreparedKeys {
 public:
  /// No keys, until some are assigned: for members.
  PreparedKeys() = default;
  /// log_weights: one for each point, as in OperatorOptions; empty: 0. O(n d), through a map its cost. Throws MemoryLimitError
  /// where mapped points do not fit the limit of `run`.
  PreparedKeys(const Metric& metric, const Points<T>& points, const Vector<double>& log_weights = {},
               const Execution& run = {});

  Index rows() const { return state_ ? points().rows() : 0; }
  Index cols() const { return state_ ? points().cols() : 0; }
  const Metric& metric() const;
  const Matrix<T>& points() const;
  const Vector<double>& log_weights() const;  ///< zeros where none were given
  /// What is held by now, in bytes: points, log weights, lifts and tree.
  std::size_t bytes() const;

  const detail::KeysState<T>& state() const;  ///< refuses where there are no keys

 private:
  std::shared_ptr<const detail::KeysState<T>> state_;
};

}  // namespace likewise
