// Operators of mechanisms whose bandwidth has been found. Arguments have been checked.
#pragma once

#include <string>

#include "operator/state.hpp"

namespace likewise {

/// What is known of keys before any query: the keys, prepared, and the kernel with its length. Without a normalization that
/// looks at the keys among themselves, r is their weight.
template <class T>
detail::OperatorState<T> met_keys(const Mechanism& mechanism, const SelectedBandwidth& found,
                                  const PreparedKeys<T>& keys);

/// The keys with themselves: r and l by the normalization. `neighbors`: those that the support's search would find.
template <class T>
SelfOperator<T> self_operator_of(detail::OperatorState<T> keys, const std::string& storage,
                                 const Execution& run, const Matrix<Index>* neighbors = nullptr);

/// New rows X, which the metric sees as `seen_X`, for these keys, whose r is kept. `of_rows` are the rows' own, where the bandwidth gives each point one.
template <class T>
CrossOperator<T> cross_operator_of(const detail::OperatorState<T>& keys, const Points<T>& X,
                                   const Points<T>& seen_X, const RowScales& of_rows, Askers askers,
                                   const std::string& storage, const Execution& run,
                                   const Matrix<Index>* neighbors = nullptr);

}  // namespace likewise
