#include "engine/simd/nearest.hpp"

#include "engine/simd/targets.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/simd/nearest_panels.cpp"
#include "hwy/foreach_target.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "engine/simd/nearest_lists-inl.h"
#include "engine/simd/panel-inl.h"
#include "hwy/aligned_allocator.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace likewise::engine::simd::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

constexpr std::size_t kTile = 64;  // keys that meet all panels while they are in the first cache

/// What is done with pairs that are below a limit: they are offered to lists of queries, of keys, or reported. The bits
/// of `offered` are the pairs of key j and queries first + lane_of(bit).
template <class C> struct ListQueries {
  static constexpr bool kMirror = false;
  const CostBlock<C>& block;
  const PairCondition& rule;
  const NearestLists<C>& lists;

  const C* limits() const { return lists.thresholds; }
  const C* key_limits() const { return nullptr; }
  template <class LaneOf>
  HWY_INLINE void Offer(std::size_t first, std::size_t j, const C* values, std::uint64_t offered,
                        const LaneOf& lane_of) const {
    const std::ptrdiff_t key = block.first_key + static_cast<std::ptrdiff_t>(j);
    for (; offered; offered &= offered - 1) {
      const std::size_t a = lane_of(static_cast<std::size_t>(__builtin_ctzll(offered)));
      if (!rule.trivial() && !rule.allows(block.first_query + static_cast<std::ptrdiff_t>(first + a), key))
        continue;
      InsertAll<C>(
          lists, first + a, 1, [&](std::size_t) { return values[a]; },
          [&](std::size_t) { return static_cast<ListIndex<C>>(key); });
    }
  }
};

template <class C> struct ListBoth : ListQueries<C> {
  static constexpr bool kMirror = true;
  const NearestLists<C>& of_keys;

  const C* key_limits() const { return of_keys.thresholds; }
  /// To the list of key j. All pairs are of one row, which stays in registers.
  template <class LaneOf>
  HWY_INLINE void OfferMirror(std::size_t first, std::size_t j, const C* values, std::uint64_t offered,
                              const LaneOf& lane_of) const {
    const std::ptrdiff_t query = this->block.first_query + static_cast<std::ptrdiff_t>(first);
    if (!this->rule.trivial())
      for (std::uint64_t rest = offered; rest; rest &= rest - 1) {
        const std::size_t bit = static_cast<std::size_t>(__builtin_ctzll(rest));
        if (!this->rule.allows(this->block.first_key + static_cast<std::ptrdiff_t>(j),
                               query + static_cast<std::ptrdiff_t>(lane_of(bit))))
          offered &= ~(std::uint64_t(1) << bit);
      }
    if (!offered) return;
    InsertAll<C>(
        of_keys, j, offered, [&](std::size_t bit) { return values[lane_of(bit)]; },
        [&](std::size_t bit) {
          return static_cast<ListIndex<C>>(query + static_cast<std::ptrdiff_t>(lane_of(bit)));
        });
  }
};

template <class C> struct Report {
  static constexpr bool kMirror = false;
  const CostBlock<C>& block;
  const C* highest;
  const PairSink& sink;

  const C* limits() const { return highest; }
  const C* key_limits() const { return nullptr; }
  template <class LaneOf>
  HWY_INLINE void Offer(std::size_t first, std::size_t j, const C*, std::uint64_t offered,
                        const LaneOf& lane_of) const {
    for (; offered; offered &= offered - 1)
      sink.found(
          sink.context,
          static_cast<std::ptrdiff_t>(first + lane_of(static_cast<std::size_t>(__builtin_ctzll(offered)))),
          block.first_key + static_cast<std::ptrdiff_t>(j));
  }
};

/// Keys of a tile: `rows` holds a multiple of kKeys rows.
template <class C> struct KeyTile {
  const C* rows;
  std::size_t stride;
  const C* bias;
  std::size_t first, size, padded;
};

template <class C, class Use> struct Scan {
  using D = Tag<C>;
  using V = Vec<C>;
  const CostBlock<C>& block;
  const Use& use;
  D d;
  std::size_t lanes = PanelLanes<C>(), vector = hn::Lanes(D());
  std::size_t width = static_cast<std::size_t>(block.width);

  /// Values of kKeys keys stay in registers; a look at their minimum tells whether any pair matters.
  HWY_NOINLINE void MeetPanel(std::size_t first, const KeyTile<C>& keys) const {
    const C* points = block.panels + first * width;
    V limit[kVectors];
    LoadLimits(first, limit);
    for (std::size_t j = 0; j < keys.padded; j += kKeys) {
      V acc[kKeys][kVectors];
      LIKEWISE_UNROLL
      for (std::size_t v = 0; v < kVectors; ++v) {
        const V start = hn::LoadU(d, block.query_bias + first + v * vector);
        LIKEWISE_UNROLL
        for (std::size_t b = 0; b < kKeys; ++b) acc[b][v] = hn::Add(start, hn::Set(d, keys.bias[j + b]));
      }
      MultiplyAdd<kKeys, C>(points, width, keys.rows + j * keys.stride, keys.stride, 1, acc);
      const V lowest[kVectors] = {Lowest(acc, 0), Lowest(acc, 1), Lowest(acc, 2)};
      const bool offers = AnyBelow(lowest, limit);
      bool mirror_offers = false;
      if constexpr (Use::kMirror) mirror_offers = AnyBelowKeys(lowest, keys, j);
      if (!offers && !mirror_offers) continue;
      HWY_ALIGN C values[kGroup];
      LIKEWISE_UNROLL
      for (std::size_t b = 0; b < kKeys; ++b) {
        LIKEWISE_UNROLL
        for (std::size_t v = 0; v < kVectors; ++v) hn::Store(acc[b][v], d, values + b * lanes + v * vector);
      }
      if (offers) {
        Sift<false>(values, first, keys, j);
        LoadLimits(first, limit);
      }
      if constexpr (Use::kMirror)
        if (mirror_offers) Sift<true>(values, first, keys, j);
    }
  }

  static constexpr std::size_t kGroup = kKeys * kVectors * hn::MaxLanes(D());

  HWY_INLINE void LoadLimits(std::size_t first, V (&limit)[kVectors]) const {
    LIKEWISE_UNROLL
    for (std::size_t v = 0; v < kVectors; ++v) limit[v] = hn::LoadU(d, use.limits() + first + v * vector);
  }

  static HWY_INLINE V Lowest(const V (&acc)[kKeys][kVectors], std::size_t v) {
    V lowest = acc[0][v];
    LIKEWISE_UNROLL
    for (std::size_t b = 1; b < kKeys; ++b) lowest = hn::Min(lowest, acc[b][v]);
    return lowest;
  }
  HWY_INLINE bool AnyBelow(const V (&lowest)[kVectors], const V (&limit)[kVectors]) const {
    return !hn::AllFalse(d, hn::Or(hn::Lt(lowest[0], limit[0]),
                                   hn::Or(hn::Lt(lowest[1], limit[1]), hn::Lt(lowest[2], limit[2]))));
  }
  HWY_INLINE bool AnyBelowKeys(const V (&lowest)[kVectors], const KeyTile<C>& keys, std::size_t j) const {
    const C* limits = use.key_limits() + keys.first + j;
    C highest = limits[0];
    for (std::size_t b = 1; b < std::min(kKeys, keys.size - j); ++b) highest = std::max(highest, limits[b]);
    return !hn::AllFalse(d, hn::Lt(hn::Min(lowest[0], hn::Min(lowest[1], lowest[2])), hn::Set(d, highest)));
  }

  /// Pair by pair, where a group of keys has something to offer.
  template <bool kMirrored>
  HWY_NOINLINE void Sift(const C* HWY_RESTRICT values, std::size_t first, const KeyTile<C>& keys,
                         std::size_t j) const {
    const std::size_t n = std::min(kKeys, keys.size - j), per_vector = (vector + 7) / 8;
    const std::size_t lanes_per_byte = std::min<std::size_t>(vector, 8);
    std::uint64_t below[kKeys];
    unsigned offering = 0;  // bits of keys: walking them mispredicts less than asking key by key
    for (std::size_t b = 0; b < n; ++b) {
      HWY_ALIGN std::uint8_t bits[64] = {};
      LIKEWISE_UNROLL
      for (std::size_t v = 0; v < kVectors; ++v) {
        const V limit = kMirrored ? hn::Set(d, use.key_limits()[keys.first + j + b])
                                  : hn::LoadU(d, use.limits() + first + v * vector);
        hn::StoreMaskBits(d, hn::Lt(hn::Load(d, values + b * lanes + v * vector), limit),
                          bits + v * per_vector);
      }
      std::memcpy(&below[b], bits, 8);
      offering |= unsigned(below[b] != 0) << b;
    }
    const auto lane_of = [=](std::size_t bit) { return bit / 8 * lanes_per_byte + bit % 8; };
    for (; offering; offering &= offering - 1) {
      const auto b = static_cast<std::size_t>(__builtin_ctz(offering));
      if constexpr (kMirrored)
        use.OfferMirror(first, keys.first + j + b, values + b * lanes, below[b], lane_of);
      else
        use.Offer(first, keys.first + j + b, values + b * lanes, below[b], lane_of);
    }
  }

  /// The tile at key j; its last, incomplete group of kKeys is copied and padded with keys of bias +inf.
  HWY_INLINE KeyTile<C> TileAt(std::size_t j, C* padding) const {
    const std::size_t n_keys = static_cast<std::size_t>(block.n_keys),
                      stride = static_cast<std::size_t>(block.key_stride);
    const std::size_t size = std::min(kTile, n_keys - j), padded = (size + kKeys - 1) / kKeys * kKeys;
    KeyTile<C> keys{block.keys + j * stride, stride, block.key_bias + j, j, size, padded};
    if (padded == size) return keys;
    C* bias = padding + padded * width;
    for (std::size_t b = 0; b < padded; ++b) {
      bias[b] = b < size ? keys.bias[b] : std::numeric_limits<C>::infinity();
      for (std::size_t k = 0; k < width; ++k)
        padding[b * width + k] = b < size ? keys.rows[b * stride + k] : C(0);
    }
    keys.rows = padding;
    keys.stride = width;
    keys.bias = bias;
    return keys;
  }

  void Run() const {
    const std::size_t n_keys = static_cast<std::size_t>(block.n_keys),
                      n_queries = static_cast<std::size_t>(block.n_queries);
    const bool pads = n_keys % kKeys != 0;
    const auto padding = hwy::AllocateAligned<C>(pads ? kTile * (width + 1) : 1);
    for (std::size_t j = 0; j < n_keys; j += kTile) {
      const KeyTile<C> keys = TileAt(j, padding.get());
      for (std::size_t first = 0; first < n_queries; first += lanes) MeetPanel(first, keys);
    }
  }
};

template <class C, class Use> void RunScan(const CostBlock<C>& block, const Use& use) {
  Scan<C, Use>{block, use, {}}.Run();
}

template <class C>
void Nearest(const CostBlock<C>& block, const PairCondition& rule, const NearestLists<C>& of_queries,
             const NearestLists<C>* of_keys) {
  const ListQueries<C> queries{block, rule, of_queries};
  if (!of_keys) return RunScan<C>(block, queries);
  RunScan<C>(block, ListBoth<C>{queries, *of_keys});
}

template <class C> void Pack(const C* rows, std::ptrdiff_t n, std::ptrdiff_t width, C* panels) {
  const std::size_t lanes = PanelLanes<C>(), size = static_cast<std::size_t>(n),
                    columns = static_cast<std::size_t>(width);
  for (std::size_t first = 0; first < size; first += lanes)
    PackPanel<C>(rows + first * columns, std::min(lanes, size - first), columns, columns, C(-1),
                 panels + first * columns);
}

void NearestFloat(const CostBlock<float>& block, const PairCondition& rule,
                  const NearestLists<float>& of_queries, const NearestLists<float>* of_keys) {
  Nearest<float>(block, rule, of_queries, of_keys);
}
void NearestDouble(const CostBlock<double>& block, const PairCondition& rule,
                   const NearestLists<double>& of_queries, const NearestLists<double>* of_keys) {
  Nearest<double>(block, rule, of_queries, of_keys);
}
void BelowFloat(const CostBlock<float>& block, const float* limits, const PairSink& sink) {
  RunScan<float>(block, Report<float>{block, limits, sink});
}
void BelowDouble(const CostBlock<double>& block, const double* limits, const PairSink& sink) {
  RunScan<double>(block, Report<double>{block, limits, sink});
}
void PackFloat(const float* rows, std::ptrdiff_t n, std::ptrdiff_t width, float* panels) {
  Pack<float>(rows, n, width, panels);
}
void PackDouble(const double* rows, std::ptrdiff_t n, std::ptrdiff_t width, double* panels) {
  Pack<double>(rows, n, width, panels);
}

}  // namespace
}  // namespace likewise::engine::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace likewise::engine::simd {
HWY_EXPORT(NearestFloat);
HWY_EXPORT(NearestDouble);
HWY_EXPORT(BelowFloat);
HWY_EXPORT(BelowDouble);
HWY_EXPORT(PackFloat);
HWY_EXPORT(PackDouble);

template <>
void scan_nearest(const CostBlock<float>& block, const PairCondition& rule,
                  const NearestLists<float>& of_queries, const NearestLists<float>* of_keys) {
  HWY_DYNAMIC_DISPATCH(NearestFloat)(block, rule, of_queries, of_keys);
}
template <>
void scan_nearest(const CostBlock<double>& block, const PairCondition& rule,
                  const NearestLists<double>& of_queries, const NearestLists<double>* of_keys) {
  HWY_DYNAMIC_DISPATCH(NearestDouble)(block, rule, of_queries, of_keys);
}
template <> void scan_below(const CostBlock<float>& block, const float* limits, const PairSink& sink) {
  HWY_DYNAMIC_DISPATCH(BelowFloat)(block, limits, sink);
}
template <> void scan_below(const CostBlock<double>& block, const double* limits, const PairSink& sink) {
  HWY_DYNAMIC_DISPATCH(BelowDouble)(block, limits, sink);
}
template <> void pack_queries(const float* rows, std::ptrdiff_t n, std::ptrdiff_t width, float* panels) {
  HWY_DYNAMIC_DISPATCH(PackFloat)(rows, n, width, panels);
}
template <> void pack_queries(const double* rows, std::ptrdiff_t n, std::ptrdiff_t width, double* panels) {
  HWY_DYNAMIC_DISPATCH(PackDouble)(rows, n, width, panels);
}

}  // namespace likewise::engine::simd
#endif
