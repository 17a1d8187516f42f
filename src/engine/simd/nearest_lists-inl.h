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
#include "engine/simd/panel-inl.h"
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

/// A sorted row of N vectors in registers. Values that do not belong change nothing, so that nothing need be asked.
template <class C, std::size_t N> struct SortedRow {
  using D = ListTag<C>;
  using DI = hn::RebindToSigned<D>;
  hn::Vec<D> v[N];
  hn::Vec<DI> k[N];

  HWY_INLINE void Load(const C* values, const ListIndex<C>* keys) {
    LIKEWISE_UNROLL
    for (std::size_t m = 0; m < N; ++m) {
      v[m] = hn::LoadU(D(), values + m * hn::Lanes(D()));
      k[m] = hn::LoadU(DI(), keys + m * hn::Lanes(D()));
    }
  }
  HWY_INLINE void Store(C* values, ListIndex<C>* keys) const {
    LIKEWISE_UNROLL
    for (std::size_t m = 0; m < N; ++m) {
      hn::StoreU(v[m], D(), values + m * hn::Lanes(D()));
      hn::StoreU(k[m], DI(), keys + m * hn::Lanes(D()));
    }
  }
  HWY_INLINE void Insert(C value, ListIndex<C> key) {
    const D d;
    const DI di;
    const auto x = hn::Set(d, value);
    const auto x_key = hn::Set(di, key);
    const auto lowest = hn::FirstN(d, 1);
    for (std::size_t m = N; m-- > 0;) {
      auto up = Up(d, v[m]);
      auto up_k = Up(di, k[m]);
      auto enters = hn::Le(up, x);
      if (m > 0) {
        const std::size_t below = m > 0 ? m - 1 : 0;
        up = hn::IfThenElse(lowest, Last(d, v[below]), up);
        up_k = hn::IfThenElse(hn::RebindMask(di, lowest), Last(di, k[below]), up_k);
        enters = hn::Le(up, x);
      } else {
        enters = hn::Or(enters, lowest);
      }
      const auto stays = hn::Le(v[m], x);
      v[m] = hn::IfThenElse(stays, v[m], hn::IfThenElse(enters, x, up));
      k[m] = hn::IfThenElse(hn::RebindMask(di, stays), k[m],
                            hn::IfThenElse(hn::RebindMask(di, enters), x_key, up_k));
    }
  }

 private:
  template <class D2, class V> static HWY_INLINE V Last(D2 d, V vector) {
    using I = hn::TFromD<hn::RebindToSigned<D2>>;
    HWY_ALIGN I from[16];
    for (std::size_t a = 0; a < hn::Lanes(d); ++a) from[a] = static_cast<I>(hn::Lanes(d) - 1);
    return hn::TableLookupLanes(vector, hn::SetTableIndices(d, from));
  }
};

/// A pair whose value is below its row's threshold.
template <class C>
HWY_INLINE void Insert(const NearestLists<C>& lists, std::size_t row, C value, ListIndex<C> key) {
  const std::size_t capacity = static_cast<std::size_t>(lists.capacity),
                    keep = static_cast<std::size_t>(lists.keep);
  C* values = lists.values + row * capacity;
  ListIndex<C>* keys = lists.keys + row * capacity;
  if (lists.sorted()) {
    lists.thresholds[row] = InsertSorted<C>(values, keys, keep, value, key);
    return;
  }
  const std::size_t size = static_cast<std::size_t>(lists.sizes[row]++);
  values[size] = value;
  keys[size] = key;
  if (size + 1 < capacity) return;
  lists.thresholds[row] = CutBack<C>(values, keys, capacity, keep);
  lists.sizes[row] = static_cast<std::int32_t>(keep);
}

template <std::size_t N, class C, class Value, class Key>
HWY_INLINE void InsertInRegisters(const NearestLists<C>& lists, std::size_t row, std::uint64_t offered,
                                  const Value& value, const Key& key) {
  C* values = lists.values + row * static_cast<std::size_t>(lists.capacity);
  ListIndex<C>* keys = lists.keys + row * static_cast<std::size_t>(lists.capacity);
  SortedRow<C, N> sorted;
  sorted.Load(values, keys);
  for (; offered; offered &= offered - 1) {
    const std::size_t bit = static_cast<std::size_t>(__builtin_ctzll(offered));
    sorted.Insert(value(bit), key(bit));
  }
  sorted.Store(values, keys);
  lists.thresholds[row] = values[lists.keep - 1];
}

/// Offers value(bit), key(bit) of every bit that is set to a row.
template <class C, class Value, class Key>
HWY_INLINE void InsertAll(const NearestLists<C>& lists, std::size_t row, std::uint64_t offered,
                          const Value& value, const Key& key) {
  const std::size_t lanes = hn::Lanes(ListTag<C>());
  if (lists.keep == static_cast<std::ptrdiff_t>(lanes) && lists.sorted())
    return InsertInRegisters<1, C>(lists, row, offered, value, key);
  if (lists.keep == static_cast<std::ptrdiff_t>(2 * lanes) && lists.sorted())
    return InsertInRegisters<2, C>(lists, row, offered, value, key);
  for (; offered; offered &= offered - 1) {
    const std::size_t bit = static_cast<std::size_t>(__builtin_ctzll(offered));
    if (value(bit) < lists.thresholds[row]) Insert<C>(lists, row, value(bit), key(bit));
  }
}

}  // namespace likewise::engine::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
