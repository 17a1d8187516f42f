#include "neighbors/exact_search.hpp"

#include <numeric>
#include <vector>

#include "engine/parallel.hpp"

namespace likewise::neighbors {
namespace {

constexpr Index queries_per_block = 64, keys_per_part = 4096;

/// Keys of one row, of which the k nearest (k = 0: all within a distance) are wanted. Up to `most` are kept before they are
/// cut back to k: cheaper than to keep them in order.
class Nearest {
 public:
  Nearest(Index k, double within) : k_(static_cast<std::size_t>(k)), most_(4 * k_ + 256), within_(within) {}

  void offer(Found found) {
    if (!(found.distance <= within_)) return;
    found_.push_back(found);
    if (k_ > 0 && found_.size() == most_) cut_back();
  }
  const std::vector<Found>& sorted() {
    if (k_ > 0 && found_.size() > k_) cut_back();
    std::sort(found_.begin(), found_.end());
    return found_;
  }

 private:
  void cut_back() {
    const auto last = found_.begin() + static_cast<std::ptrdiff_t>(k_) - 1;
    std::nth_element(found_.begin(), last, found_.end());
    within_ = last->distance;  // of equal ones the lowest indices stay: they come first
    found_.resize(k_, Found{});
  }

  std::size_t k_, most_;
  double within_;
  std::vector<Found> found_;
};

class ExactSearch final : public BoundedSearch {
 public:
  explicit ExactSearch(const SearchTerms& terms)
      : terms_(terms), keys_(static_cast<std::size_t>(terms.pairs.n_keys())) {
    std::iota(keys_.begin(), keys_.end(), 0);
  }

  std::vector<RowLimit> nearest(Index k, const Store& store, const Execution& run) const override {
    std::vector<RowLimit> rows;
    for (Index i = 0; i < terms_.pairs.n_queries(); ++i)
      rows.push_back({i, std::numeric_limits<double>::infinity()});
    within(rows, k, store, run);
    return {};
  }

  void within(const std::vector<RowLimit>& rows, Index k, const Store& store,
              const Execution& run) const override {
    const Index n = static_cast<Index>(rows.size()), n_keys = terms_.pairs.n_keys();
    if (n < queries_per_block && n_keys > keys_per_part) return part_by_part(rows, k, store, run);
    engine::parallel_blocks(engine::block_count(n, queries_per_block), run, "finding neighbors",
                            [&](Index block) {
                              const auto [first, size] = engine::block_of(block, n, queries_per_block);
                              std::vector<double> distances(keys_.size());
                              for (Index a = first; a < first + size; ++a) {
                                const RowLimit& row = rows[static_cast<std::size_t>(a)];
                                terms_.pairs.distances(row.query, keys_.data(), n_keys, distances.data());
                                take(row, k, distances.data(), store);
                              }
                            });
  }

 private:
  /// Few queries leave threads without work: these share the keys.
  void part_by_part(const std::vector<RowLimit>& rows, Index k, const Store& store,
                    const Execution& run) const {
    const Index n_keys = terms_.pairs.n_keys();
    std::vector<double> distances(keys_.size());
    for (const RowLimit& row : rows) {
      engine::parallel_blocks(
          engine::block_count(n_keys, keys_per_part), run, "finding neighbors", [&](Index part) {
            const auto [first, size] = engine::block_of(part, n_keys, keys_per_part);
            terms_.pairs.distances(row.query, keys_.data() + first, size, distances.data() + first);
          });
      take(row, k, distances.data(), store);
    }
  }

  void take(const RowLimit& row, Index k, const double* distances, const Store& store) const {
    Nearest nearest(k, row.distance);
    for (const Index key : keys_)
      if (terms_.rule.allows(row.query, key)) nearest.offer({distances[key], key});
    store(row.query, nearest.sorted());
  }

  const SearchTerms& terms_;
  std::vector<Index> keys_;
};

}  // namespace

std::unique_ptr<const BoundedSearch> make_exact_search(const SearchTerms& terms) {
  return std::make_unique<const ExactSearch>(terms);
}

}  // namespace likewise::neighbors
