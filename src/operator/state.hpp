// What an operator shares between its copies.
#pragma once

#include <memory>
#include <string>

#include <likewise/operator.hpp>

#include "neighbors/keys_state.hpp"
#include "operator/kernel_matrix.hpp"
#include "operator/tile_weights.hpp"

namespace likewise::detail {

template <class T> struct OperatorState {
  Mechanism mechanism;  ///< bandwidth resolved
  SelectedBandwidth bandwidth;
  ResolvedKernel kernel;
  std::shared_ptr<const Matrix<T>>
      queries;  ///< where the metric sees them; on a self-operator of one map the keys' own
  std::shared_ptr<const Matrix<T>> given_queries;  ///< as they came, where a map sends them elsewhere
  PreparedKeys<T> keys;
  Askers askers = Askers::beside;  ///< who the queries are
  std::string storage;
  std::shared_ptr<const KernelMatrix<T>> matrix;
  Scaling scaling;
  std::shared_ptr<const Lazy<Vector<double>>> log_row_sums;
  IterationReport report;
  std::vector<Index> isolated;  ///< points that keep to themselves
  std::string asymmetry;        ///< the law that a symmetric form lacks, or empty
  std::shared_ptr<const LinearMapStorage<T>> map;
};

/// A self-operator: the keys ask themselves.
template <class T> bool of_keys_themselves(const OperatorState<T>& state) {
  return state.askers == Askers::keys;
}
/// Of a self-operator whose keys are seen where they stand as queries, too: one map for both, or none.
template <class T> bool of_one_point_set(const OperatorState<T>& state) {
  return state.queries == state.keys.state().prepared()->shared();
}

/// The filters of an operator's support, with the loops of those that keep to themselves.
template <class T> PairFilters filters_of(const OperatorState<T>& state) {
  PairFilters filters(state.mechanism.support, {state.queries->rows(), state.keys.rows(), state.askers});
  if (of_keys_themselves(state)) filters.keep_self(state.isolated);
  return filters;
}

}  // namespace likewise::detail
