// What searches find out about keys: their tree, their lowered lift, and which of them a search takes. Once, and kept.
#pragma once

#include <atomic>
#include <cstddef>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>

#include "engine/prepared_points.hpp"
#include "neighbors/kd_tree.hpp"
#include "neighbors/lowered_keys.hpp"

namespace likewise::neighbors {

/// Whether a tree pays for searches, as far as it is known: one for more neighbors, or a wider radius, meets more leaves.
class TreeVerdicts {
 public:
  /// Of a search for the k nearest or, with k = 0, within a radius.
  std::optional<bool> known(Index k, double radius) const;
  void remember(Index k, double radius, bool pays);
  bool ever_paid() const { return nearest_.pays_up_to >= 0 || within_.pays_up_to >= 0; }

 private:
  struct Range {
    double pays_up_to = -1, fails_from = std::numeric_limits<double>::infinity();
  };
  Range nearest_, within_;
};

/// Immutable to those who ask; any number of threads may.
template <class T> class SearchedKeys {
 public:
  /// `for_many_calls`: what is found out may take as much memory as the points.
  SearchedKeys(engine::SharedKeys<T> points, bool for_many_calls);

  const engine::SharedKeys<T>& shared() const { return points_; }
  const engine::PreparedPoints<T>& prepared() const { return *points_; }
  const Metric& metric() const { return points_->metric(); }
  const Points<T>& points() const { return points_->points(); }

  /// How many queries have asked by now, the n of this call among them: what a tree has to pay for.
  double asked_with(Index n_queries) const;

  std::shared_ptr<const KeyTree<T>> tree(bool single, const Execution& run) const;
  /// Lets go of a tree that has not paid for any search.
  void drop_idle_tree() const;
  std::optional<bool> tree_pays(Index k, double radius) const;
  void remember_tree(Index k, double radius, bool pays) const;

  /// The keys lowered for queries that `pairs` has, with an s that suits these.
  template <class C>
  std::shared_ptr<const LoweredKeys<C>> lowered(const LiftedPairs& pairs, const Execution& run) const;

  /// What is held beyond the points and their lifts, in bytes.
  std::size_t bytes() const;

 private:
  template <class C> std::shared_ptr<const LoweredKeys<C>>& slot() const {
    if constexpr (sizeof(C) == sizeof(float))
      return single_;
    else
      return precise_;
  }
  std::size_t lowered_bytes() const {
    return (single_ ? single_->bytes() : 0) + (precise_ ? precise_->bytes() : 0);
  }

  engine::SharedKeys<T> points_;
  bool for_many_calls_;
  std::size_t room_;  ///< for lowered keys, in bytes
  mutable std::atomic<Index> asked_ = 0;
  mutable std::mutex tree_lock_, lowered_lock_;
  mutable std::shared_ptr<const KeyTree<T>> trees_[2];  ///< in float64, in float32
  mutable TreeVerdicts verdicts_;
  mutable std::shared_ptr<const LoweredKeys<float>> single_;
  mutable std::shared_ptr<const LoweredKeys<double>> precise_;
};

}  // namespace likewise::neighbors
