// The rows that leave-one-out errors are made of: what each place may hear from the others.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include <likewise/mechanism_value.hpp>

#include "select_bandwidth/places.hpp"

namespace likewise::bandwidths {

/// One place and the other places that speak to it.
struct LooRow {
  Index query = 0;
  Matrix<double> inputs = {};      ///< (1, m), in the kernel's unit
  Matrix<double> log_counts = {};  ///< (1, m), -inf where a key does not speak
  double own_input = 0;            ///< of the place with itself
  bool all_keys = true;            ///< m = n, all keys in their order; else `keys` names them
  std::vector<Index> keys = {};
  Index nearest = -1;  ///< of a row without any key: the nearest that may speak, -1 where none may
};

/// Rows of a set of places, each without itself. Immutable, so that threads share it.
class LooRows {
 public:
  virtual ~LooRows() = default;
  virtual Index block_count() const = 0;
  /// Calls use(row) for each row of the block in ascending order.
  virtual void visit(Index block, const std::function<void(const LooRow& row)>& use) const = 0;
};

/// Whether a number for each pair of n points may be kept in memory.
bool pairs_fit(Index n, const Execution& run);

/// The places of the training points: joined where nothing but their coordinates tells them apart.
Places places_of(const Mechanism& mechanism, const Points<double>& Z, const Values<double>& Y,
                 const Vector<double>& log_weights);

/// All pairs: O(n) memory a thread; with `keep`, distances are kept for the next visit where they fit. A selector: the
/// neighbors are found once. A given graph is refused. Reads the places, which must outlive the rows.
std::unique_ptr<const LooRows> make_loo_rows(const Mechanism& mechanism, const Places& places, bool keep,
                                             const Execution& run);

}  // namespace likewise::bandwidths
