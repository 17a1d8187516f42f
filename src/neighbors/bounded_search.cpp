#include "neighbors/bounded_search.hpp"

namespace likewise::neighbors {
namespace {

constexpr Index list_step = 16;  // what engine::simd asks of a row's length

/// One place for the key that shows the next one to be farther.
Index kept(Index k) { return (k + 1 + list_step - 1) / list_step * list_step; }
Index room(Index keep) {
  return keep <= engine::simd::longest_sorted_list ? keep : keep + std::max<Index>(keep / 2, 64);
}

}  // namespace

template <class C> std::size_t RowLists<C>::bytes_per_row(Index k) {
  return static_cast<std::size_t>(room(kept(k))) * (sizeof(C) + sizeof(engine::simd::ListIndex<C>));
}

template <class C>
RowLists<C>::RowLists(Index rows, Index padded, Index k) : capacity_(room(kept(k))), keep_(kept(k)) {
  constexpr C infinity = std::numeric_limits<C>::infinity();
  const std::size_t n = static_cast<std::size_t>(rows * capacity_), slack = 64 / sizeof(C);
  values_ = hwy::AllocateAligned<C>(n + slack);
  keys_ = hwy::AllocateAligned<engine::simd::ListIndex<C>>(n + slack);
  thresholds_ = hwy::AllocateAligned<C>(static_cast<std::size_t>(padded));
  std::fill_n(values_.get(), n + slack, infinity);
  std::fill_n(keys_.get(), n + slack, engine::simd::ListIndex<C>(-1));
  std::fill_n(thresholds_.get(), rows, infinity);
  std::fill(thresholds_.get() + rows, thresholds_.get() + padded, -infinity);
  if (capacity_ > keep_) {
    sizes_ = hwy::AllocateAligned<std::int32_t>(static_cast<std::size_t>(rows));
    std::fill_n(sizes_.get(), rows, 0);
  }
}

template <class C> void Ranking::add(const engine::simd::NearestLists<C>& lists, Index row) {
  const C* values = lists.values + row * lists.capacity;
  const engine::simd::ListIndex<C>* keys = lists.keys + row * lists.capacity;
  const Index size = lists.sorted() ? lists.keep : lists.sizes[row];
  for (Index m = 0; m < size && keys[m] >= 0; ++m)
    listed_.push_back({static_cast<double>(values[m]), static_cast<Index>(keys[m])});
  bound_ = std::min(bound_, static_cast<double>(lists.thresholds[row]));
}

template <class C>
ShortList<C>::ShortList(Index k) : keep_(static_cast<std::size_t>(kept(k))), capacity_(4 * keep_) {
  entries_.reserve(capacity_);
}

template <class C> void ShortList<C>::cut_back() {
  const auto lower = [](const Entry& a, const Entry& b) { return a.value < b.value; };
  const auto last = entries_.begin() + static_cast<std::ptrdiff_t>(keep_) - 1;
  std::nth_element(entries_.begin(), last, entries_.end(), lower);
  threshold_ = last->value;
  entries_.resize(keep_);
}

template <class C> void Ranking::add(const ShortList<C>& list) {
  for (const auto& entry : list.entries()) listed_.push_back({static_cast<double>(entry.value), entry.key});
  bound_ = std::min(bound_, static_cast<double>(list.threshold()));
}

void Ranking::evaluate(Index query, std::size_t begin, std::size_t end) {
  const std::size_t n = end - begin, before = found_.size();
  keys_.resize(n);
  distances_.resize(n);
  found_.resize(before + n);
  for (std::size_t m = 0; m < n; ++m) keys_[m] = listed_[begin + m].key;
  pairs_.distances(query, keys_.data(), static_cast<Index>(n), distances_.data());
  for (std::size_t m = 0; m < n; ++m) found_[before + m] = {distances_[m], keys_[m]};
}

bool Ranking::finish(Index query) {
  const std::size_t k = static_cast<std::size_t>(k_);
  found_.clear();
  if (listed_.size() > k) {
    const auto nearer = [](const Listed& a, const Listed& b) { return a.value < b.value; };
    if (!std::is_sorted(listed_.begin(), listed_.end(), nearer))
      std::nth_element(listed_.begin(), listed_.begin() + k_, listed_.end(), nearer);
    evaluate(query, 0, k);
    const double most = unit_.ceiling_of(std::max_element(found_.begin(), found_.end())->distance);
    const auto beyond = std::remove_if(listed_.begin() + k_, listed_.end(),
                                       [&](const Listed& listed) { return listed.value > most; });
    evaluate(query, k, static_cast<std::size_t>(beyond - listed_.begin()));
  } else {
    evaluate(query, 0, listed_.size());
  }
  std::sort(found_.begin(), found_.end());
  if (found_.size() > k) found_.resize(k);
  if (bound_ == std::numeric_limits<double>::infinity()) return true;
  return bound_ > unit_.ceiling_of(found_.back().distance);
}

void Collection::evaluate(std::size_t row) {
  Row& collected = collected_[row];
  double distances[batch];
  const Index n = static_cast<Index>(collected.pending.size());
  terms_.pairs.distances(rows_[row].query, collected.pending.data(), n, distances);
  for (Index m = 0; m < n; ++m)
    if (distances[m] <= rows_[row].distance)
      collected.found.push_back({distances[m], collected.pending[static_cast<std::size_t>(m)]});
  collected.pending.clear();
  if (k_ && collected.found.size() > 2 * k_ + batch) cut_back(collected.found);
}

void Collection::cut_back(std::vector<Found>& found) const {
  if (!k_ || found.size() <= k_) return;
  std::nth_element(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(k_) - 1, found.end());
  found.resize(k_, Found{});
}

void Collection::finish(const Store& store) {
  for (std::size_t row = 0; row < collected_.size(); ++row) {
    evaluate(row);
    cut_back(collected_[row].found);
    std::sort(collected_[row].found.begin(), collected_[row].found.end());
    store(rows_[row].query, collected_[row].found);
    collected_[row] = {};
  }
}

template class RowLists<float>;
template class RowLists<double>;
template void Ranking::add(const engine::simd::NearestLists<float>&, Index);
template void Ranking::add(const engine::simd::NearestLists<double>&, Index);
template class ShortList<float>;
template class ShortList<double>;
template void Ranking::add(const ShortList<float>&);
template void Ranking::add(const ShortList<double>&);

}  // namespace likewise::neighbors
