// Which pairs of indices the support's filters admit, asked for a pair, a tile or a block of queries.
#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include <likewise/support.hpp>
#include <likewise/types.hpp>

#include "engine/parallel.hpp"
#include "engine/terms/pair_mask.hpp"

namespace likewise {

/// Filters that look at indices only, for one shape of operator. Graphs are not among them: they give the
/// edges.
class PairFilters final : public engine::PairMask {
 public:
  PairFilters() = default;
  /// Refuses a filter that does not fit the shape or those who ask, naming it.
  PairFilters(const Support& support, const PairShape& shape);
  /// Of keys whose first n_queries ask: each without itself.
  static PairFilters first_without_self(Index n_queries, Index n_keys);

  /// Also admits each of these points to itself, whatever the filters say.
  void keep_self(std::vector<Index> points) { kept_ = std::move(points); }

  bool empty() const { return filters_.empty(); }
  bool admits(Index i, Index j) const;
  /// Writes `excluded` over the pairs of a tile that are not admitted.
  template <class T> void exclude(Index i0, Index j0, T excluded, Tile<T> tile) const;
  /// The keys that any of n queries from i0 on may speak to: causal skips the empty half.
  engine::Block admitted_keys(Index i0, Index n) const;
  Coverage coverage(Index i0, Index n, Index j0, Index m) const override;
  void admitted(Index i0, Index n, Index j0, Index m, unsigned char* admitted, Index stride) const override;
  /// Admits (i, j) exactly if it admits (j, i).
  bool symmetric() const;
  /// Some (i, i) is not admitted.
  bool leaves_self_out() const;

 private:
  /// Calls use(i) for the kept points among queries [i0, i0 + n) and keys [j0, j0 + m).
  template <class Use> void for_kept(Index i0, Index n, Index j0, Index m, const Use& use) const {
    const Index end = std::min(i0 + n, j0 + m);
    for (auto i = std::lower_bound(kept_.begin(), kept_.end(), std::max(i0, j0));
         i != kept_.end() && *i < end; ++i)
      use(*i);
  }

  std::vector<PairFilter> filters_;
  std::vector<Index> kept_;  ///< ascending
  PairShape shape_;
};

}  // namespace likewise
