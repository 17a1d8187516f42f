// The rows of a cross-operator one at a time, for what no product with fixed columns gives: moments about
// each query's own mean, and the number of points that a row really uses.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include <likewise/mechanism_value.hpp>
#include <likewise/prepared_keys.hpp>

namespace likewise {

/// The keys of one row that have weight, and their weights p_ij.
struct RowWeights {
  std::vector<Index> keys;
  Vector<double> weights;
};

/// Queries that are left out of their own rows. Keys lie by their query; a second key of a query is what is left of its weight,
/// and only that query hears it: where keys are equally near it has the place of the first.
struct LeftOut {
  std::vector<Index> query_of;  ///< of each key, ascending
  bool is_rest(Index key) const {
    const auto at = static_cast<std::size_t>(key);
    return at > 0 && query_of[at] == query_of[at - 1];
  }
};

/// Calls visit(i, row) for every query, from several threads. O(n_keys) memory a query, in blocks of bounded size;
/// O(n_queries n_keys d) time, or a neighbor search.
void for_each_row(const Mechanism& mechanism, const Points<double>& X, const PreparedKeys<double>& keys,
                  const std::optional<LeftOut>& left_out, const Execution& run,
                  const std::function<void(Index, const RowWeights&)>& visit);

}  // namespace likewise
