// Searches by cheap lower bounds, and how their finds become exact rows: every key that could belong is evaluated by
// definition, and ranked by (distance, index).
#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <tuple>
#include <vector>

#include <hwy/aligned_allocator.h>

#include "engine/simd/nearest.hpp"
#include "neighbors/pairs.hpp"

namespace likewise::neighbors {

/// A key at its distance. Ties break by the lowest index: that is this order.
struct Found {
  double distance;
  Index index;
  friend bool operator<(const Found& a, const Found& b) {
    return std::tie(a.distance, a.index) < std::tie(b.distance, b.index);
  }
};

/// Takes a query's finished row; called from several threads, once for each query.
using Store = std::function<void(Index query, const std::vector<Found>& row)>;

/// A query that wants all its keys of at most a distance, as reported.
struct RowLimit {
  Index query;
  double distance;
};

/// What all bounded searches of one question are told.
struct SearchTerms {
  const Pairs& pairs;
  engine::simd::PairCondition rule;
  bool self;  ///< queries are the keys
};

/// How the values of a bounded search bound true distances: no key is nearer, in their unit, than
/// value - relative |value| - absolute.
struct BoundUnit {
  std::function<double(double)> of_reported;
  double relative = 0, absolute = 0;

  /// A key of true distance at most `reported` has a value of at most this. The rounding of powers is allowed for.
  double ceiling_of(double reported) const {
    const double most = of_reported(reported);
    return most + absolute
           + (2 * relative + 32 * std::numeric_limits<double>::epsilon()) * std::abs(most + absolute);
  }
  /// Values below this include all keys of distance at most `reported`.
  template <class C> C limit_of(double reported) const {
    const double most = ceiling_of(reported);
    if (!(most < static_cast<double>(std::numeric_limits<C>::max())))
      return std::numeric_limits<C>::infinity();
    C limit = static_cast<C>(most);
    while (!(static_cast<double>(limit) > most))
      limit = std::nextafter(limit, std::numeric_limits<C>::infinity());
    return limit;
  }
};

class BoundedSearch {
 public:
  virtual ~BoundedSearch() = default;
  /// Stores the k nearest of each query, but for those that are returned: too many keys were too near the k-th for
  /// its lists. Their k-th distance is at most the one returned.
  virtual std::vector<RowLimit> nearest(Index k, const Store& store, const Execution& run) const = 0;
  /// Stores, of the keys within each row's distance, all or (k > 0) the k nearest.
  virtual void within(const std::vector<RowLimit>& rows, Index k, const Store& store,
                      const Execution& run) const = 0;
};

/// Lists for a block of rows.
template <class C> class RowLists {
 public:
  /// Room for k keys and some that are nearly as near; the rows rounded up to `padded` have no room.
  RowLists(Index rows, Index padded, Index k);
  RowLists() = default;

  engine::simd::NearestLists<C> view() const {
    return {values_.get(), keys_.get(), thresholds_.get(), sizes_.get(), capacity_, keep_};
  }
  static std::size_t bytes_per_row(Index k);

 private:
  Index capacity_ = 0, keep_ = 0;
  hwy::AlignedFreeUniquePtr<C[]> values_, thresholds_;
  hwy::AlignedFreeUniquePtr<engine::simd::ListIndex<C>[]> keys_;
  hwy::AlignedFreeUniquePtr<std::int32_t[]> sizes_;
};

/// The keys of lowest values for one row, in no order: enough for the k nearest and some that are nearly as near.
template <class C> class ShortList {
 public:
  struct Entry {
    C value;
    Index key;
  };
  explicit ShortList(Index k);
  void offer(C value, Index key) {
    if (!(value < threshold_)) return;
    entries_.push_back({value, key});
    if (entries_.size() == capacity_) cut_back();
  }
  /// Keys of at least this value need no offer.
  C threshold() const { return threshold_; }
  /// Ends with the lowest ones; what is not among them has a value of at least threshold().
  void finish() {
    if (entries_.size() > keep_) cut_back();
  }
  const std::vector<Entry>& entries() const { return entries_; }

 private:
  void cut_back();
  std::size_t keep_, capacity_;
  C threshold_ = std::numeric_limits<C>::infinity();
  std::vector<Entry> entries_;
};

/// Ranks what was listed for a row, in any number of lists. Reuses its memory from row to row.
class Ranking {
 public:
  Ranking(const Pairs& pairs, const BoundUnit& unit, Index k) : pairs_(pairs), unit_(unit), k_(k) {}

  void start() {
    listed_.clear();
    bound_ = std::numeric_limits<double>::infinity();
  }
  template <class C> void add(const engine::simd::NearestLists<C>& lists, Index row);
  template <class C> void add(const ShortList<C>& list);
  /// Whether row() is final; else the k-th distance is at most limit().
  bool finish(Index query);
  const std::vector<Found>& row() const { return found_; }
  double limit() const { return found_.back().distance; }

 private:
  struct Listed {
    double value;
    Index key;
  };
  void evaluate(Index query, std::size_t begin, std::size_t end);

  const Pairs& pairs_;
  const BoundUnit& unit_;
  Index k_;
  double bound_ = 0;  // values of keys that are not listed are at least this
  std::vector<Listed> listed_;
  std::vector<Index> keys_;
  std::vector<double> distances_;
  std::vector<Found> found_;
};

/// Rows of all keys within a distance, as they are reported one after the other.
class Collection {
 public:
  Collection(const SearchTerms& terms, const RowLimit* rows, Index n, Index k)
      : terms_(terms),
        rows_(rows),
        k_(static_cast<std::size_t>(k)),
        collected_(static_cast<std::size_t>(n)) {}

  engine::simd::PairSink sink() {
    return {this, [](void* self, std::ptrdiff_t row, std::ptrdiff_t key) {
              static_cast<Collection*>(self)->add(static_cast<std::size_t>(row), key);
            }};
  }
  void finish(const Store& store);

 private:
  struct Row {
    std::vector<Index> pending;
    std::vector<Found> found;
  };
  void add(std::size_t row, Index key) {
    if (!terms_.rule.allows(rows_[row].query, key)) return;
    collected_[row].pending.push_back(key);
    if (collected_[row].pending.size() == batch) evaluate(row);
  }
  void evaluate(std::size_t row);
  void cut_back(std::vector<Found>& found) const;

  static constexpr std::size_t batch = 64;
  const SearchTerms& terms_;
  const RowLimit* rows_;
  std::size_t k_;
  std::vector<Row> collected_;
};

}  // namespace likewise::neighbors
