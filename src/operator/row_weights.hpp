// The rows of a cross-operator one at a time, for what no product with fixed columns gives: moments about
// each query's own mean, and the number of points that a row really uses.
#pragma once

#include <functional>
#include <vector>

#include <likewise/mechanism.hpp>

namespace likewise {

/// The keys of one row that have weight, and their weights p_ij.
struct RowWeights {
  std::vector<Index> keys;
  Vector<double> weights;
};

/// Calls visit(i, row) for every query, from several threads. With `leave_one_out` query i is key i and
/// admits all other keys. O(n_keys) memory a query, in blocks of bounded size; O(n_queries n_keys d) time, or
/// a neighbor search.
void for_each_row(const Mechanism& mechanism, const Points<double>& X, const Points<double>& Z,
                  const Vector<double>& log_key_weights, bool leave_one_out, const Execution& run,
                  const std::function<void(Index, const RowWeights&)>& visit);

}  // namespace likewise
