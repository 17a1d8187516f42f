// The micro-kernel of dense products: rows of A, broadcast, times vectors of B's rows, added to rows of a result.
#if defined(LIKEWISE_ENGINE_SIMD_PRODUCT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LIKEWISE_ENGINE_SIMD_PRODUCT_INL_H_
#undef LIKEWISE_ENGINE_SIMD_PRODUCT_INL_H_
#else
#define LIKEWISE_ENGINE_SIMD_PRODUCT_INL_H_
#endif

#include <cstddef>

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
  Size group() const { return static_cast<Size>(kKeys) * row_stride; }
  Size pitch() const { return b_pitch; }
};

/// A block of A's rows with VECTORS vectors of B's rows.
template <std::size_t VECTORS, class Strides, class C>
HWY_NOINLINE void BlockTimesPanel(const C* block, Strides strides, Size n_rows, const C* panel, Size depth,
                                  Size n_columns, C* result, Size result_stride) {
  constexpr Size group = kKeys;
  for (Size i = 0; i < n_rows; i += group, block += strides.group(), result += group * result_stride) {
    if (n_rows - i >= group) {
      Rows<kKeys, VECTORS>(panel, depth, block, strides, n_columns, result, result_stride);
      continue;
    }
    for (Size b = 0; b < n_rows - i; ++b)
      Rows<1, VECTORS>(panel, depth, block + b * strides.row(), strides, n_columns,
                       result + b * result_stride, result_stride);
  }
}

/// The kernel for as many vectors as a panel fills.
template <class Strides, class C> auto PanelKernel(Strides, const C*, Size vectors) {
  static_assert(kVectors == 3);
  return vectors == 1   ? BlockTimesPanel<1, Strides, C>
         : vectors == 2 ? BlockTimesPanel<2, Strides, C>
                        : BlockTimesPanel<3, Strides, C>;
}

}  // namespace likewise::engine::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
