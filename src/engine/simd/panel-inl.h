// The micro-kernels: a panel of queries, one a lane, against keys that stay row-major and are broadcast.
#if defined(LIKEWISE_ENGINE_SIMD_PANEL_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LIKEWISE_ENGINE_SIMD_PANEL_INL_H_
#undef LIKEWISE_ENGINE_SIMD_PANEL_INL_H_
#else
#define LIKEWISE_ENGINE_SIMD_PANEL_INL_H_
#endif

#include <algorithm>
#include <cstddef>

#include "engine/simd/math-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace likewise::engine::simd::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

#define LIKEWISE_UNROLL _Pragma("GCC unroll 16")

using Size = std::ptrdiff_t;
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
/// used, on any address: vectors across two cache lines cost less than the multiplications leave free. N * VECTORS
/// accumulators live in registers.
template <std::size_t N, class C, std::size_t VECTORS>
HWY_INLINE void MultiplyAdd(const C* HWY_RESTRICT panel, std::size_t width, const C* HWY_RESTRICT rows,
                            std::size_t row_stride, std::size_t column_stride, Vec<C> (&acc)[N][VECTORS],
                            std::size_t pitch = PanelLanes<C>()) {
  const Tag<C> d;
  const std::size_t lanes = hn::Lanes(d);
  for (std::size_t k = 0; k < width; ++k, panel += pitch) {
    Vec<C> q[VECTORS];
    LIKEWISE_UNROLL
    for (std::size_t v = 0; v < VECTORS; ++v) q[v] = hn::LoadU(d, panel + v * lanes);
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

#if HWY_TARGET != HWY_SCALAR
/// A square of numbers in registers: 4 x 4, or 2 x 2 doubles where vectors have 128 bits.
template <class C> using SquareTag = hn::CappedTag<C, 4>;

template <bool SCALES, class C>
HWY_INLINE void TransposeSquare(const C* HWY_RESTRICT from, Size from_stride, C alpha, C* HWY_RESTRICT to,
                                Size to_stride) {
  const SquareTag<C> d;
  const auto row = [&](Size b) HWY_ATTR {
    const auto numbers = hn::LoadU(d, from + b * from_stride);
    return SCALES ? hn::Mul(hn::Set(d, alpha), numbers) : numbers;
  };
  const auto put = [&](Size k, auto column) HWY_ATTR { hn::StoreU(column, d, to + k * to_stride); };
  const auto r0 = row(0), r1 = row(1);
  if constexpr (hn::MaxLanes(SquareTag<C>()) == 2) {
    put(0, hn::InterleaveLower(d, r0, r1));
    put(1, hn::InterleaveUpper(d, r0, r1));
  } else if constexpr (sizeof(C) == 4) {
    const auto r2 = row(2), r3 = row(3);
    const auto even = hn::InterleaveLower(d, r0, r2), odd = hn::InterleaveLower(d, r1, r3);
    const auto even2 = hn::InterleaveUpper(d, r0, r2), odd2 = hn::InterleaveUpper(d, r1, r3);
    put(0, hn::InterleaveLower(d, even, odd));
    put(1, hn::InterleaveUpper(d, even, odd));
    put(2, hn::InterleaveLower(d, even2, odd2));
    put(3, hn::InterleaveUpper(d, even2, odd2));
  } else {  // doubles interleave within each half of a vector
    const auto r2 = row(2), r3 = row(3);
    const auto even = hn::InterleaveLower(d, r0, r1), odd = hn::InterleaveUpper(d, r0, r1);
    const auto even2 = hn::InterleaveLower(d, r2, r3), odd2 = hn::InterleaveUpper(d, r2, r3);
    put(0, hn::ConcatLowerLower(d, even2, even));
    put(1, hn::ConcatLowerLower(d, odd2, odd));
    put(2, hn::ConcatUpperUpper(d, even2, even));
    put(3, hn::ConcatUpperUpper(d, odd2, odd));
  }
}
#endif

template <bool SCALES, class C>
void TransposeTimes(const C* HWY_RESTRICT from, Size from_stride, Size wide, Size deep, C alpha,
                    C* HWY_RESTRICT to, Size to_stride) {
  const auto times = [alpha](C number) { return SCALES ? alpha * number : number; };
  Size a = 0;
#if HWY_TARGET != HWY_SCALAR
  constexpr Size N = hn::MaxLanes(SquareTag<C>());
  for (; a + N <= wide; a += N) {
    const C* rows = from + a * from_stride;
    Size k = 0;
    for (; k + N <= deep; k += N)
      TransposeSquare<SCALES>(rows + k, from_stride, alpha, to + k * to_stride + a, to_stride);
    for (; k < deep; ++k)
      for (Size b = 0; b < N; ++b) to[k * to_stride + a + b] = times(rows[b * from_stride + k]);
  }
#endif
  for (; a < wide; ++a)
    for (Size k = 0; k < deep; ++k) to[k * to_stride + a] = times(from[a * from_stride + k]);
}

/// to[k * to_stride + a] = alpha * from[a * from_stride + k] for `wide` a and `deep` k. Where alpha is 1, numbers are copied:
/// with denormals flushed a product by 1 is not the same.
template <class C>
void Transpose(const C* HWY_RESTRICT from, Size from_stride, Size wide, Size deep, C alpha,
               C* HWY_RESTRICT to, Size to_stride) {
  if (alpha == C(1))
    TransposeTimes<false>(from, from_stride, wide, deep, alpha, to, to_stride);
  else
    TransposeTimes<true>(from, from_stride, wide, deep, alpha, to, to_stride);
}

/// The panel (width, PanelLanes) of n_rows rows, `stride` apart, times `scale`; lanes beyond are 0.
template <class C>
void PackPanel(const C* rows, std::size_t n_rows, std::size_t stride, std::size_t width, C scale, C* panel) {
  const std::size_t lanes = PanelLanes<C>();
  if (n_rows < lanes) std::fill_n(panel, width * lanes, C(0));
  Transpose<C>(rows, static_cast<Size>(stride), static_cast<Size>(n_rows), static_cast<Size>(width), scale,
               panel, static_cast<Size>(lanes));
}

}  // namespace likewise::engine::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
