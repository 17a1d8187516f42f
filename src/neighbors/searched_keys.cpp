#include "neighbors/searched_keys.hpp"

#include <algorithm>
#include <utility>

namespace likewise::neighbors {

std::optional<bool> TreeVerdicts::known(Index k, double radius) const {
  const Range& range = k ? nearest_ : within_;
  const double size = k ? static_cast<double>(k) : radius;
  if (size <= range.pays_up_to) return true;
  if (size >= range.fails_from) return false;
  return {};
}

void TreeVerdicts::remember(Index k, double radius, bool pays) {
  Range& range = k ? nearest_ : within_;
  const double size = k ? static_cast<double>(k) : radius;
  if (pays)
    range.pays_up_to = std::max(range.pays_up_to, size);
  else
    range.fails_from = std::min(range.fails_from, size);
}

template <class T>
SearchedKeys<T>::SearchedKeys(engine::SharedKeys<T> points, bool for_many_calls)
    : points_(std::move(points)), for_many_calls_(for_many_calls) {
  constexpr std::size_t of_one_call = 24 << 20;
  const std::size_t n = static_cast<std::size_t>(this->points().rows()),
                    width = static_cast<std::size_t>(this->points().cols());
  room_ = for_many_calls ? std::max(of_one_call, n * (width + 2) * sizeof(T)) : of_one_call;
}

template <class T> double SearchedKeys<T>::asked_with(Index n_queries) const {
  constexpr Index least = 8;  // a row alone costs brute force about what so many do together
  constexpr Index enough = std::numeric_limits<Index>::max() / 4;
  const Index now = for_many_calls_ ? std::max(n_queries, least) : n_queries,
              asked = asked_.load(std::memory_order_relaxed);
  if (for_many_calls_ && asked < enough) asked_.fetch_add(now, std::memory_order_relaxed);
  return static_cast<double>(asked) + static_cast<double>(now);
}

template <class T>
std::shared_ptr<const KeyTree<T>> SearchedKeys<T>::tree(bool single, const Execution& run) const {
  const std::lock_guard guard(tree_lock_);
  std::shared_ptr<const KeyTree<T>>& kept = trees_[single];
  if (!kept) {
    kept = grow_tree<T>(*points_, single, run);
    trees_[!single] = nullptr;  // one tree is kept: float32 points beyond its range ask for another
  }
  return kept;
}

template <class T> void SearchedKeys<T>::drop_idle_tree() const {
  const std::lock_guard guard(tree_lock_);
  if (!verdicts_.ever_paid()) trees_[0] = trees_[1] = nullptr;
}

template <class T> std::optional<bool> SearchedKeys<T>::tree_pays(Index k, double radius) const {
  const std::lock_guard guard(tree_lock_);
  return verdicts_.known(k, radius);
}

template <class T> void SearchedKeys<T>::remember_tree(Index k, double radius, bool pays) const {
  const std::lock_guard guard(tree_lock_);
  verdicts_.remember(k, radius, pays);
}

template <class T>
template <class C>
std::shared_ptr<const LoweredKeys<C>> SearchedKeys<T>::lowered(const LiftedPairs& pairs,
                                                               const Execution& run) const {
  // A lift that is a square has terms as large as its points anyway: there one s will do for all queries.
  const double ratio = traits(metric()).lift->ratio, wanted = ratio > 0 ? ratio : balance(pairs);
  const auto suits = [&](double s) { return s <= 4 * wanted && wanted <= 4 * s; };
  const std::lock_guard guard(lowered_lock_);
  std::shared_ptr<const LoweredKeys<C>>& kept = slot<C>();
  if (kept && suits(kept->s)) return kept;
  const std::size_t held = lowered_bytes(), room = room_ - std::min(room_, held);
  auto made = lower_keys<C>(pairs, wanted, room, run);
  return kept ? made : kept = std::move(made);
}

template <class T> std::size_t SearchedKeys<T>::bytes() const {
  std::size_t bytes = 0;
  {
    const std::lock_guard guard(tree_lock_);
    for (const auto& tree : trees_) bytes += tree ? tree->bytes() : 0;
  }
  const std::lock_guard guard(lowered_lock_);
  return bytes + lowered_bytes();
}

template class SearchedKeys<float>;
template class SearchedKeys<double>;
#define LIKEWISE_INSTANTIATE(T, C)                                                               \
  template std::shared_ptr<const LoweredKeys<C>> SearchedKeys<T>::lowered<C>(const LiftedPairs&, \
                                                                             const Execution&) const;
LIKEWISE_INSTANTIATE(float, float)
LIKEWISE_INSTANTIATE(float, double)
LIKEWISE_INSTANTIATE(double, float)
LIKEWISE_INSTANTIATE(double, double)
#undef LIKEWISE_INSTANTIATE

}  // namespace likewise::neighbors
