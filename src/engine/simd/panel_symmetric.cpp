#include "engine/simd/panel_symmetric.hpp"

#include "engine/simd/targets.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/simd/panel_symmetric.cpp"
#include "hwy/foreach_target.h"

#include <algorithm>
#include <limits>

#include "engine/simd/panel-inl.h"
#include "hwy/aligned_allocator.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace likewise::engine::simd::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;
using Count = std::size_t;

template <class C> hwy::AlignedFreeUniquePtr<C[]> Zeros(Count n) {
  auto memory = hwy::AllocateAligned<C>(n + 1);
  std::fill(memory.get(), memory.get() + n, C(0));
  return memory;
}
constexpr Count Up(Count n, Count multiple) { return (n + multiple - 1) / multiple * multiple; }

enum class Columns { none, one, many };

/// One pair of ranges. With one column at most, both sides are summed in registers and in one vector a key; more columns are
/// multiplied from the tile of weights.
template <class C> struct Pairs {
  using D = Tag<C>;
  using V = Vec<C>;
  const SymmetricPoints<C>& points;
  Count first_query, n_queries, first_key, n_keys;
  bool mirror;
  D d;
  Count lanes = PanelLanes<C>(), vector = hn::Lanes(D());
  Count width = static_cast<Count>(points.width), n_columns = static_cast<Count>(points.n_columns),
        stride = static_cast<Count>(points.stride);
  Count n_panels = (n_queries + lanes - 1) / lanes, padded_keys = Up(n_keys, kKeys);
  bool single = n_columns == 1;
  hwy::AlignedFreeUniquePtr<C[]> tile = Zeros<C>(kTile * lanes);
  hwy::AlignedFreeUniquePtr<C[]> panels = Zeros<C>(n_panels * lanes * width);
  // Of all panels: bias and factor (0 beyond the last query), values of a single column, masses and sums.
  hwy::AlignedFreeUniquePtr<C[]> bias = Zeros<C>(n_panels * lanes), factor = Zeros<C>(n_panels * lanes),
                                 value = Zeros<C>(single ? n_panels * lanes : 0),
                                 mass = Zeros<C>(n_panels * lanes),
                                 sums = Zeros<C>(n_panels * lanes * n_columns);
  // A vector for each key: partial masses and sums of its mirrored side.
  hwy::AlignedFreeUniquePtr<C[]> key_mass = Zeros<C>(mirror ? padded_keys * vector : 0),
                                 key_sum = Zeros<C>(mirror && single ? padded_keys * vector : 0);
  // The last, incomplete group of keys, padded.
  hwy::AlignedFreeUniquePtr<C[]> last_rows = Zeros<C>(kKeys * width), last_bias = Zeros<C>(3 * kKeys);

  const C* Row(Count key) const { return points.keys + (first_key + key) * width; }

  void Prepare() {
    for (Count p = 0; p < n_panels; ++p)
      PackPanel<C>(points.queries + (first_query + p * lanes) * width, std::min(lanes, n_queries - p * lanes),
                   width, width, points.query_scale, panels.get() + p * lanes * width);
    for (Count i = 0; i < n_panels * lanes; ++i) {
      const bool real = i < n_queries;
      bias[i] = real ? points.query_bias[first_query + i] : -std::numeric_limits<C>::infinity();
      factor[i] = real ? points.factor[first_query + i] : C(0);
      if (single) value[i] = real ? points.values[(first_query + i) * stride] : C(0);
    }
    const Count whole = n_keys / kKeys * kKeys;
    for (Count b = 0; b < kKeys; ++b) {
      const bool real = whole + b < n_keys;
      const Count j = first_key + whole + b;
      if (real) std::copy_n(Row(whole + b), width, last_rows.get() + b * width);
      last_bias[b] = real ? points.key_bias[j] : -std::numeric_limits<C>::infinity();
      last_bias[kKeys + b] = real ? points.factor[j] : C(0);
      last_bias[2 * kKeys + b] = real && single ? points.values[j * stride] : C(0);
    }
  }

  /// The weights of one panel with the keys [j, j + size); masses of both sides, and sums of a single column.
  template <Columns kColumns, bool kMirror> HWY_NOINLINE void Weigh(Count p, Count j, Count size) {
    constexpr bool kSingle = kColumns == Columns::one;
    V sum_mass[kVectors], sum[kVectors], start[kVectors], r[kVectors], u[kVectors];
    LIKEWISE_UNROLL
    for (Count v = 0; v < kVectors; ++v) {
      const Count at = p * lanes + v * vector;
      sum_mass[v] = sum[v] = hn::Zero(d);
      start[v] = hn::Load(d, bias.get() + at);
      r[v] = hn::Load(d, factor.get() + at);
      u[v] = kSingle ? hn::Load(d, value.get() + at) : r[v];
    }
    const C* panel = panels.get() + p * lanes * width;
    for (Count g = j; g < j + size; g += kKeys) {
      const bool whole = g + kKeys <= n_keys;
      const C* rows = whole ? Row(g) : last_rows.get();
      const C* key_bias = whole ? points.key_bias + first_key + g : last_bias.get();
      const C* key_factor = whole ? points.factor + first_key + g : last_bias.get() + kKeys;
      const C* key_value = whole ? points.values + first_key + g : last_bias.get() + 2 * kKeys;
      V acc[kKeys][kVectors];
      LIKEWISE_UNROLL
      for (Count b = 0; b < kKeys; ++b) {
        const V key = hn::Set(d, key_bias[b]);
        LIKEWISE_UNROLL
        for (Count v = 0; v < kVectors; ++v) acc[b][v] = hn::Add(start[v], key);
      }
      MultiplyAdd<kKeys, C>(panel, width, rows, width, 1, acc);
      LIKEWISE_UNROLL
      for (Count b = 0; b < kKeys; ++b) {
        const V key_r = hn::Set(d, key_factor[b]);
        V back_mass = hn::Zero(d), back_sum = hn::Zero(d);
        LIKEWISE_UNROLL
        for (Count v = 0; v < kVectors; ++v) {
          const V w = Exp2(d, acc[b][v]);
          sum_mass[v] = hn::MulAdd(w, key_r, sum_mass[v]);
          if constexpr (kSingle) sum[v] = hn::MulAdd(w, hn::Set(d, key_value[b]), sum[v]);
          if constexpr (kMirror) back_mass = hn::MulAdd(w, r[v], back_mass);
          if constexpr (kMirror && kSingle) back_sum = hn::MulAdd(w, u[v], back_sum);
          if constexpr (kColumns == Columns::many)
            hn::Store(w, d, tile.get() + (g - j + b) * lanes + v * vector);
        }
        if constexpr (kMirror) AddTo(key_mass.get() + (g + b) * vector, back_mass);
        if constexpr (kMirror && kSingle) AddTo(key_sum.get() + (g + b) * vector, back_sum);
      }
    }
    for (Count v = 0; v < kVectors; ++v) {
      AddTo(mass.get() + p * lanes + v * vector, sum_mass[v]);
      if constexpr (kSingle) AddTo(sums.get() + p * lanes + v * vector, sum[v]);
    }
  }

  HWY_INLINE void AddTo(C* at, V what) const { hn::Store(hn::Add(hn::Load(d, at), what), d, at); }

  /// Sums of keys' rows: weights (keys, lanes) times the values of the panel's queries, from `column` on.
  template <Count VECTORS> HWY_NOINLINE void Mirror(Count p, Count j, Count size, Count column) {
    const Count depth = std::min(lanes, n_queries - p * lanes);
    for (Count g = 0; g < size; g += kKeys) {
      V acc[kKeys][VECTORS];
      LIKEWISE_UNROLL
      for (Count b = 0; b < kKeys; ++b) {
        LIKEWISE_UNROLL
        for (Count v = 0; v < VECTORS; ++v) acc[b][v] = hn::Zero(d);
      }
      const C* values = points.values + (first_query + p * lanes) * stride + column;
      const C* weights = tile.get() + g * lanes;
      for (Count a = 0; a < depth; ++a, values += stride) {
        V u[VECTORS];
        LIKEWISE_UNROLL
        for (Count v = 0; v < VECTORS; ++v) u[v] = hn::Load(d, values + v * vector);
        LIKEWISE_UNROLL
        for (Count b = 0; b < kKeys; ++b) {
          const V w = hn::Set(d, weights[b * lanes + a]);
          LIKEWISE_UNROLL
          for (Count v = 0; v < VECTORS; ++v) acc[b][v] = hn::MulAdd(w, u[v], acc[b][v]);
        }
      }
      LIKEWISE_UNROLL
      for (Count b = 0; b < kKeys; ++b) {
        if (j + g + b >= n_keys) continue;
        C* row = points.sums + (first_key + j + g + b) * stride + column;
        LIKEWISE_UNROLL
        for (Count v = 0; v < VECTORS; ++v) AddTo(row + v * vector, acc[b][v]);
      }
    }
  }

  template <Columns kColumns> HWY_INLINE void WeighBoth(Count p, Count j, Count size) {
    mirror ? Weigh<kColumns, true>(p, j, size) : Weigh<kColumns, false>(p, j, size);
  }

  void Meet(Count p, Count j, Count size) {
    if (n_columns == 0) return WeighBoth<Columns::none>(p, j, size);
    if (single) return WeighBoth<Columns::one>(p, j, size);
    WeighBoth<Columns::many>(p, j, size);
    Accumulate<C>(tile.get(), std::min(size, n_keys - j), points.values + (first_key + j) * stride, stride,
                  n_columns, sums.get() + p * lanes * n_columns);
    if (!mirror) return;
    // Passes of up to 3 vectors of columns, as even as they come.
    const Count vectors = (n_columns + vector - 1) / vector, passes = (vectors + kVectors - 1) / kVectors,
                together = (vectors + passes - 1) / passes;
    for (Count v = 0; v < vectors; v += together) {
      const Count now = std::min(together, vectors - v);
      if (now == 1)
        Mirror<1>(p, j, size, v * vector);
      else if (now == 2)
        Mirror<2>(p, j, size, v * vector);
      else
        Mirror<3>(p, j, size, v * vector);
    }
  }

  /// What was summed goes to its points.
  void Finish() {
    for (Count i = 0; i < n_queries; ++i) {
      const Count p = i / lanes, a = i % lanes;
      points.mass[first_query + i] += mass[i];
      C* row = points.sums + (first_query + i) * stride;
      for (Count c = 0; c < n_columns; ++c) row[c] += sums[(p * n_columns + c) * lanes + a];
    }
    for (Count j = 0; j < n_keys && mirror; ++j) {
      points.mass[first_key + j] += hn::GetLane(hn::SumOfLanes(d, hn::Load(d, key_mass.get() + j * vector)));
      if (single)
        points.sums[(first_key + j) * stride] +=
            hn::GetLane(hn::SumOfLanes(d, hn::Load(d, key_sum.get() + j * vector)));
    }
  }

  void Run() {
    Prepare();
    for (Count p0 = 0; p0 < n_panels; p0 += kPanels)
      for (Count j = 0; j < n_keys; j += kTile)
        for (Count p = p0; p < std::min(p0 + kPanels, n_panels); ++p)
          Meet(p, j, std::min(kTile, padded_keys - j));
    Finish();
  }
};

template <class C> void Sum(const SymmetricPoints<C>& points, Range queries, Range keys, bool mirror) {
  Pairs<C>{points,
           static_cast<Count>(queries.begin),
           static_cast<Count>(queries.size),
           static_cast<Count>(keys.begin),
           static_cast<Count>(keys.size),
           mirror,
           {}}
      .Run();
}
void SumFloat(const SymmetricPoints<float>& points, Range queries, Range keys, bool mirror) {
  Sum(points, queries, keys, mirror);
}
void SumDouble(const SymmetricPoints<double>& points, Range queries, Range keys, bool mirror) {
  Sum(points, queries, keys, mirror);
}

std::ptrdiff_t FloatLanes() { return static_cast<std::ptrdiff_t>(hn::Lanes(Tag<float>())); }
std::ptrdiff_t DoubleLanes() { return static_cast<std::ptrdiff_t>(hn::Lanes(Tag<double>())); }

}  // namespace
}  // namespace likewise::engine::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace likewise::engine::simd {
HWY_EXPORT(SumFloat);
HWY_EXPORT(SumDouble);
HWY_EXPORT(FloatLanes);
HWY_EXPORT(DoubleLanes);

template <class C> std::ptrdiff_t value_stride(std::ptrdiff_t n_columns) {
  if (n_columns <= 1) return n_columns;
  const std::ptrdiff_t lanes =
      sizeof(C) == 4 ? HWY_DYNAMIC_DISPATCH(FloatLanes)() : HWY_DYNAMIC_DISPATCH(DoubleLanes)();
  return (n_columns + lanes - 1) / lanes * lanes;
}
template std::ptrdiff_t value_stride<float>(std::ptrdiff_t);
template std::ptrdiff_t value_stride<double>(std::ptrdiff_t);

template <> void sum_symmetric(const SymmetricPoints<float>& points, Range queries, Range keys, bool mirror) {
  HWY_DYNAMIC_DISPATCH(SumFloat)(points, queries, keys, mirror);
}
template <>
void sum_symmetric(const SymmetricPoints<double>& points, Range queries, Range keys, bool mirror) {
  HWY_DYNAMIC_DISPATCH(SumDouble)(points, queries, keys, mirror);
}

}  // namespace likewise::engine::simd
#endif
