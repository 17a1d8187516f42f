// The micro-kernel of dense products: rows of A, broadcast, times vectors of B's rows, added to rows of a result.
#if defined(LIKEWISE_ENGINE_SIMD_PRODUCT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LIKEWISE_ENGINE_SIMD_PRODUCT_INL_H_
#undef LIKEWISE_ENGINE_SIMD_PRODUCT_INL_H_
#else
#define LIKEWISE_ENGINE_SIMD_PRODUCT_INL_H_
#endif

#include <cstddef>
#include <type_traits>

#include "engine/simd/panel-inl.h"
#include "hwy/cache_control.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace likewise::engine::simd::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// N rows of the result, the first VECTORS vectors of B's rows: result += rows B. `Strides` gives the rows' strides and the
/// pitch of B.
template <std::size_t N, std::size_t VECTORS, class Strides, class C>
HWY_INLINE void Rows(const C* HWY_RESTRICT B, Size depth, const C* HWY_RESTRICT rows, Strides strides,
                     Size n_columns, C* HWY_RESTRICT result, Size result_stride) {
  const Tag<C> d;
  const std::size_t lanes = hn::Lanes(d);
  Vec<C> acc[N][VECTORS];
  LIKEWISE_UNROLL
  for (std::size_t b = 0; b < N; ++b) {
    LIKEWISE_UNROLL
    for (std::size_t v = 0; v < VECTORS; ++v) acc[b][v] = hn::Zero(d);
    // The result comes from far; it is on its way while the products are summed.
    for (std::size_t v = 0; v <= VECTORS * lanes; v += 64 / sizeof(C))
      hwy::Prefetch(result + static_cast<Size>(b) * result_stride + v);
  }
  MultiplyAdd<N, C>(B, static_cast<std::size_t>(depth), rows, static_cast<std::size_t>(strides.row()),
                    static_cast<std::size_t>(strides.column()), acc,
                    static_cast<std::size_t>(strides.pitch()));
  const auto in_last = hn::FirstN(d, static_cast<std::size_t>(n_columns) - (VECTORS - 1) * lanes);
  LIKEWISE_UNROLL
  for (std::size_t b = 0; b < N; ++b) {
    C* row = result + static_cast<Size>(b) * result_stride;
    LIKEWISE_UNROLL
    for (std::size_t v = 0; v + 1 < VECTORS; ++v)
      hn::StoreU(hn::Add(hn::LoadU(d, row + v * lanes), acc[b][v]), d, row + v * lanes);
    row += (VECTORS - 1) * lanes;
    hn::BlendedStore(hn::Add(hn::MaskedLoad(in_last, d, row), acc[b][VECTORS - 1]), in_last, d, row);
  }
}

/// Where A holds its numbers, and how far apart B's rows are.
struct InPlace {
  Size row_stride, column_stride, b_pitch;
  Size row() const { return row_stride; }
  Size column() const { return column_stride; }
  Size pitch() const { return b_pitch; }
};

/// Four vectors and 6 rows fill 32 registers with fewer loads than 3 and 8, and meet 64 floats in one pass instead of two.
constexpr std::size_t kWide = kKeys == 8 ? 4 : kVectors, kWideRows = kKeys == 8 ? 6 : kKeys;

template <class C> HWY_INLINE Size WideLanes() { return static_cast<Size>(kWide * hn::Lanes(Tag<C>())); }

/// Columns as panels of kWide vectors. A single vector left over would keep the multiplier half idle: it gets one of the panel
/// before.
template <class C> struct Panels {
  Size n_columns;
  Size lanes = WideLanes<C>(), vector = lanes / static_cast<Size>(kWide);

  Size count() const { return (n_columns + lanes - 1) / lanes; }
  Size begin(Size p) const { return p * lanes - (p == count() - 1 && shares() ? vector : 0); }
  Size end(Size p) const { return p + 1 == count() ? n_columns : begin(p + 1); }
  Size vectors(Size p) const { return (end(p) - begin(p) + vector - 1) / vector; }

 private:
  bool shares() const {
    const Size last = n_columns - (count() - 1) * lanes;
    return count() > 1 && last <= vector;
  }
};

/// Groups of N of A's rows with VECTORS vectors of B's rows; the last ones by four, two and one.
template <std::size_t N, std::size_t VECTORS, class Strides, class C>
HWY_NOINLINE void BlockTimesPanel(const C* block, Strides strides, Size n_rows, const C* panel, Size depth,
                                  Size n_columns, C* result, Size result_stride) {
  constexpr Size group = N;
  for (; n_rows >= group; n_rows -= group, block += group * strides.row(), result += group * result_stride)
    Rows<N, VECTORS>(panel, depth, block, strides, n_columns, result, result_stride);
  const auto some = [&](auto count) HWY_ATTR {
    constexpr Size n = decltype(count)::value;
    if (n >= group || n_rows < n) return;
    Rows<n, VECTORS>(panel, depth, block, strides, n_columns, result, result_stride);
    n_rows -= n;
    block += n * strides.row();
    result += n * result_stride;
  };
  some(std::integral_constant<std::size_t, 4>());
  some(std::integral_constant<std::size_t, 2>());
  some(std::integral_constant<std::size_t, 1>());
}

/// The kernel for as many vectors as a panel fills.
template <class Strides, class C> auto PanelKernel(Strides, const C*, Size vectors) {
  static_assert(kWide == 3 || kWide == 4);
  return vectors == 1   ? BlockTimesPanel<kKeys, 1, Strides, C>
         : vectors == 2 ? BlockTimesPanel<kKeys, 2, Strides, C>
         : vectors == 3 ? BlockTimesPanel<kKeys, 3, Strides, C>
                        : BlockTimesPanel<kWideRows, kWide, Strides, C>;
}

}  // namespace likewise::engine::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
