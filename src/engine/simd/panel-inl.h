// The micro-kernels: a panel of queries, one a lane, against keys that stay row-major and are broadcast.
#if defined(LIKEWISE_ENGINE_SIMD_PANEL_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LIKEWISE_ENGINE_SIMD_PANEL_INL_H_
#undef LIKEWISE_ENGINE_SIMD_PANEL_INL_H_
#else
#define LIKEWISE_ENGINE_SIMD_PANEL_INL_H_
#endif

#include <cstddef>

#include "engine/simd/math-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace likewise::engine::simd::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

#define LIKEWISE_UNROLL _Pragma("GCC unroll 16")

template <class C> using Tag = hn::ScalableTag<C>;
template <class C> using Vec = hn::Vec<Tag<C>>;

/// A panel is 3 vectors of queries; 8 keys (4 with 16 registers) at a time fill the registers with accumulators.
constexpr std::size_t kVectors = 3;
constexpr std::size_t kKeys = (HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_SCALAR) ? 4 : 8;

constexpr std::size_t kTile = 64;   // keys of a tile: its weights, keys and values stay in the first cache
constexpr std::size_t kPanels = 4;  // panels that a tile of keys meets while it is warm

template <class C> HWY_INLINE std::size_t PanelLanes() { return kVectors * hn::Lanes(Tag<C>()); }

/// acc[b][v] += sum_k panel[k][v] * rows[b][k] for N rows of `width` numbers; row b's number k stands at
/// rows[b * row_stride + k * column_stride]. panel: `width` rows `pitch` apart, of which the first VECTORS vectors are
/// used. N * VECTORS accumulators live in registers.
template <std::size_t N, class C, std::size_t VECTORS>
HWY_INLINE void MultiplyAdd(const C* HWY_RESTRICT panel, std::size_t width, const C* HWY_RESTRICT rows,
                            std::size_t row_stride, std::size_t column_stride, Vec<C> (&acc)[N][VECTORS],
                            std::size_t pitch = PanelLanes<C>()) {
  const Tag<C> d;
  const std::size_t lanes = hn::Lanes(d);
  for (std::size_t k = 0; k < width; ++k, panel += pitch) {
    Vec<C> q[VECTORS];
    LIKEWISE_UNROLL
    for (std::size_t v = 0; v < VECTORS; ++v) q[v] = hn::Load(d, panel + v * lanes);
    LIKEWISE_UNROLL
    for (std::size_t b = 0; b < N; ++b) {
      const Vec<C> z = hn::Set(d, rows[b * row_stride + k * column_stride]);
      LIKEWISE_UNROLL
      for (std::size_t v = 0; v < VECTORS; ++v) acc[b][v] = hn::MulAdd(q[v], z, acc[b][v]);
    }
  }
}

/// sums[c][lanes] += sum_j weights[j][lanes] * values[j][c] for N columns c of n_keys rows, `stride` apart.
template <std::size_t N, class C>
HWY_INLINE void AccumulateColumns(const C* HWY_RESTRICT weights, std::size_t n_keys,
                                  const C* HWY_RESTRICT values, std::size_t stride, C* HWY_RESTRICT sums) {
  const Tag<C> d;
  const std::size_t lanes = hn::Lanes(d);
  Vec<C> acc[N][kVectors];
  LIKEWISE_UNROLL
  for (std::size_t b = 0; b < N; ++b) {
    LIKEWISE_UNROLL
    for (std::size_t v = 0; v < kVectors; ++v) acc[b][v] = hn::Zero(d);
  }
  for (std::size_t j = 0; j < n_keys; ++j, weights += kVectors * lanes, values += stride) {
    Vec<C> p[kVectors];
    LIKEWISE_UNROLL
    for (std::size_t v = 0; v < kVectors; ++v) p[v] = hn::Load(d, weights + v * lanes);
    LIKEWISE_UNROLL
    for (std::size_t b = 0; b < N; ++b) {
      const Vec<C> z = hn::Set(d, values[b]);
      LIKEWISE_UNROLL
      for (std::size_t v = 0; v < kVectors; ++v) acc[b][v] = hn::MulAdd(p[v], z, acc[b][v]);
    }
  }
  LIKEWISE_UNROLL
  for (std::size_t b = 0; b < N; ++b) {
    LIKEWISE_UNROLL
    for (std::size_t v = 0; v < kVectors; ++v) {
      C* at = sums + (b * kVectors + v) * lanes;
      hn::Store(hn::Add(hn::Load(d, at), acc[b][v]), d, at);
    }
  }
}

/// The same for any number of columns: sums is (n_columns, PanelLanes).
template <class C>
HWY_INLINE void Accumulate(const C* HWY_RESTRICT weights, std::size_t n_keys, const C* HWY_RESTRICT values,
                           std::size_t stride, std::size_t n_columns, C* HWY_RESTRICT sums) {
  const std::size_t panel = PanelLanes<C>();
  std::size_t c = 0;
  for (; c + kKeys <= n_columns; c += kKeys)
    AccumulateColumns<kKeys, C>(weights, n_keys, values + c, stride, sums + c * panel);
  if (kKeys > 4 && c + 4 <= n_columns) {
    AccumulateColumns<4, C>(weights, n_keys, values + c, stride, sums + c * panel);
    c += 4;
  }
  if (c + 2 <= n_columns) {
    AccumulateColumns<2, C>(weights, n_keys, values + c, stride, sums + c * panel);
    c += 2;
  }
  if (c < n_columns) AccumulateColumns<1, C>(weights, n_keys, values + c, stride, sums + c * panel);
}

/// Rows first, first + 1, ... of points (n_rows of them, `stride` apart) times `scale` into a panel (width, PanelLanes);
/// lanes beyond n_rows are 0.
template <class C>
HWY_INLINE void PackPanel(const C* HWY_RESTRICT rows, std::size_t n_rows, std::size_t stride,
                          std::size_t width, C scale, C* HWY_RESTRICT panel) {
  const std::size_t lanes = PanelLanes<C>();
  for (std::size_t k = 0; k < width; ++k)
    for (std::size_t a = 0; a < lanes; ++a)
      panel[k * lanes + a] = a < n_rows ? scale * rows[a * stride + k] : C(0);
}

}  // namespace likewise::engine::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
