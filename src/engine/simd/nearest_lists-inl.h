// Insertion into lists of the lowest values, for the target being compiled.
#if defined(LIKEWISE_ENGINE_SIMD_NEAREST_LISTS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LIKEWISE_ENGINE_SIMD_NEAREST_LISTS_INL_H_
#undef LIKEWISE_ENGINE_SIMD_NEAREST_LISTS_INL_H_
#else
#define LIKEWISE_ENGINE_SIMD_NEAREST_LISTS_INL_H_
#endif

#include <algorithm>
#include <cstddef>
#include <vector>

#include "engine/simd/nearest.hpp"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace likewise::engine::simd::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// Vectors of at most 16 lanes, so that rows of a multiple of 16 are whole vectors.
template <class C> using ListTag = hn::CappedTag<C, 16>;

/// Lane a - 1 in lane a; lane 0 keeps its own.
template <class D, class V = hn::VFromD<D>> HWY_INLINE V Up(D d, V v) {
  using I = hn::TFromD<hn::RebindToSigned<D>>;
  HWY_ALIGN static constexpr I kFrom[16] = {0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14};
  return hn::TableLookupLanes(v, hn::SetTableIndices(d, kFrom));
}

/// Moves what is greater than `value` one place up, from the top vector down, and puts `value` into the gap. Vectors
/// are stored as they are loaded, so that the next insertion need not wait for memory.
template <class C>
HWY_INLINE C InsertSorted(C* HWY_RESTRICT values, ListIndex<C>* HWY_RESTRICT keys, std::size_t size, C value,
                          ListIndex<C> key) {
  const ListTag<C> d;
  const hn::RebindToSigned<ListTag<C>> di;
  const std::size_t lanes = hn::Lanes(d);
  const auto x = hn::Set(d, value);
  const auto x_key = hn::Set(di, key);
  for (std::size_t base = size - lanes;; base -= lanes) {
    const auto v = hn::LoadU(d, values + base);
    const auto stays = hn::Le(v, x);
    if (hn::AllTrue(d, stays)) break;  // only where a vector above took all
    const auto k = hn::LoadU(di, keys + base);
    // One place up. What enters from below is x itself, or what x does not pass.
    const auto up = base ? hn::LoadU(d, values + base - 1) : Up(d, v);
    const auto up_k = base ? hn::LoadU(di, keys + base - 1) : Up(di, k);
    auto enters = hn::Le(up, x);  // where x goes if v does not stay there
    if (base == 0) enters = hn::Or(enters, hn::FirstN(d, 1));
    const auto shifted = hn::IfThenElse(enters, x, up);
    const auto shifted_k = hn::IfThenElse(hn::RebindMask(di, enters), x_key, up_k);
    hn::StoreU(hn::IfThenElse(stays, v, shifted), d, values + base);
    hn::StoreU(hn::IfThenElse(hn::RebindMask(di, stays), k, shifted_k), di, keys + base);
    if (base == 0) break;
  }
  return values[size - 1];
}

/// Keeps the `keep` lowest of a full row; equal ones in the order they came. Returns the highest kept.
template <class C>
HWY_NOINLINE C CutBack(C* HWY_RESTRICT values, ListIndex<C>* HWY_RESTRICT keys, std::size_t size,
                       std::size_t keep) {
  std::vector<C> order(values, values + size);
  std::nth_element(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(keep) - 1, order.end());
  const C highest = order[keep - 1];
  std::size_t equal = keep - static_cast<std::size_t>(std::count_if(values, values + size, [&](C value) {
                        return value < highest;
                      }));
  std::size_t kept = 0;
  for (std::size_t m = 0; m < size; ++m) {
    if (!(values[m] < highest || (values[m] == highest && equal > 0))) continue;
    if (values[m] == highest) --equal;
    values[kept] = values[m];
    keys[kept++] = keys[m];
  }
  return highest;
}

/// A pair whose value is below its row's threshold.
template <class C>
HWY_INLINE void Insert(const NearestLists<C>& lists, std::size_t row, C value, std::ptrdiff_t key) {
  const std::size_t capacity = static_cast<std::size_t>(lists.capacity),
                    keep = static_cast<std::size_t>(lists.keep);
  C* values = lists.values + row * capacity;
  ListIndex<C>* keys = lists.keys + row * capacity;
  if (lists.sorted()) {
    lists.thresholds[row] = InsertSorted<C>(values, keys, keep, value, static_cast<ListIndex<C>>(key));
    return;
  }
  const std::size_t size = static_cast<std::size_t>(lists.sizes[row]++);
  values[size] = value;
  keys[size] = static_cast<ListIndex<C>>(key);
  if (size + 1 < capacity) return;
  lists.thresholds[row] = CutBack<C>(values, keys, capacity, keep);
  lists.sizes[row] = static_cast<std::int32_t>(keep);
}

}  // namespace likewise::engine::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
