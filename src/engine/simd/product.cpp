#include "engine/simd/product.hpp"

#include "engine/simd/targets.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/simd/product.cpp"
#include "hwy/foreach_target.h"

#include <algorithm>

#include "engine/simd/amx_product.hpp"
#include "engine/simd/panel-inl.h"
#include "engine/simd/target.hpp"
#include "hwy/aligned_allocator.h"
#include "hwy/cache_control.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace likewise::engine::simd::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

using Size = std::ptrdiff_t;

// A block of A (kRows x kDepth) stays in the second cache while the packed panels of B (kDepth x kColumns, in the third)
// pass; a panel stays near the first while the rows of the block pass.
constexpr Size kDepth = 384, kRows = 192, kColumns = 2112;

/// to[k * to_stride + a] = alpha * from[a * from_stride + k] for `wide` a and `deep` k.
template <class C>
void Transpose(const C* HWY_RESTRICT from, Size from_stride, Size wide, Size deep, C alpha,
               C* HWY_RESTRICT to, Size to_stride) {
  Size a = 0;
#if HWY_TARGET != HWY_SCALAR
  const hn::Full128<C> d;
  const auto factor = hn::Set(d, alpha);
  constexpr Size N = 16 / sizeof(C);
  for (; a + N <= wide; a += N) {
    const C* rows = from + a * from_stride;
    Size k = 0;
    for (; k + N <= deep; k += N) {
      const auto row = [&](Size b) { return hn::Mul(factor, hn::LoadU(d, rows + b * from_stride + k)); };
      C* at = to + k * to_stride + a;
      if constexpr (N == 2) {
        const auto r0 = row(0), r1 = row(1);
        hn::StoreU(hn::InterleaveLower(d, r0, r1), d, at);
        hn::StoreU(hn::InterleaveUpper(d, r0, r1), d, at + to_stride);
      } else {
        const auto r0 = row(0), r1 = row(1), r2 = row(2), r3 = row(3);
        const auto even = hn::InterleaveLower(d, r0, r2), odd = hn::InterleaveLower(d, r1, r3);
        const auto even2 = hn::InterleaveUpper(d, r0, r2), odd2 = hn::InterleaveUpper(d, r1, r3);
        hn::StoreU(hn::InterleaveLower(d, even, odd), d, at);
        hn::StoreU(hn::InterleaveUpper(d, even, odd), d, at + to_stride);
        hn::StoreU(hn::InterleaveLower(d, even2, odd2), d, at + 2 * to_stride);
        hn::StoreU(hn::InterleaveUpper(d, even2, odd2), d, at + 3 * to_stride);
      }
    }
    for (; k < deep; ++k)
      for (Size b = 0; b < N; ++b) to[k * to_stride + a + b] = alpha * rows[b * from_stride + k];
  }
#endif
  for (; a < wide; ++a)
    for (Size k = 0; k < deep; ++k) to[k * to_stride + a] = alpha * from[a * from_stride + k];
}

/// Columns as panels of kVectors vectors. A single vector left over would keep the multiplier half idle: the last two panels
/// are of two vectors then.
template <class C> struct Panels {
  Size n_columns;
  Size lanes = static_cast<Size>(PanelLanes<C>()), vector = lanes / static_cast<Size>(kVectors);

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

/// A panel (depth, PanelLanes) of the first columns of B, scaled.
template <class C> void PackColumns(Strided<C> B, Size depth, Size n_columns, C alpha, C* panel) {
  const Size lanes = static_cast<Size>(PanelLanes<C>());
  if (B.row_stride == 1) return Transpose<C>(B.data, B.column_stride, n_columns, depth, alpha, panel, lanes);
  for (Size a = 0; a < n_columns; ++a)
    for (Size k = 0; k < depth; ++k)
      panel[k * lanes + a] = alpha * B.data[a * B.column_stride + k * B.row_stride];
}

/// The panels where B's rows are contiguous: row by row, so that a page of memory is met once and not for each panel.
template <class C> void PackContiguous(Strided<C> B, Size depth, const Panels<C>& cut, C alpha, C* panels) {
  const Tag<C> d;
  const auto factor = hn::Set(d, alpha);
  for (Size k = 0; k < depth; ++k) {
    const C* row = B.data + k * B.row_stride;
    for (Size p = 0; p < cut.count(); ++p) {
      C* at = panels + (p * depth + k) * cut.lanes;
      Size a = cut.begin(p);
      for (; a + cut.vector <= cut.end(p); a += cut.vector, at += cut.vector)
        hn::Store(hn::Mul(factor, hn::LoadU(d, row + a)), d, at);
      for (; a < cut.end(p); ++a) *at++ = alpha * row[a];
    }
  }
}

/// Columns of B as panels (depth, PanelLanes), scaled; the last vector with columns is filled up with 0.
template <class C> void PackPanels(Strided<C> B, Size depth, const Panels<C>& cut, C alpha, C* panels) {
  if (B.column_stride == 1)
    PackContiguous(B, depth, cut, alpha, panels);
  else
    for (Size p = 0; p < cut.count(); ++p)
      PackColumns<C>({B.data + cut.begin(p) * B.column_stride, B.row_stride, B.column_stride}, depth,
                     cut.end(p) - cut.begin(p), alpha, panels + p * cut.lanes * depth);
  const Size last = cut.count() - 1, width = cut.end(last) - cut.begin(last),
             filled = cut.vectors(last) * cut.vector;
  for (Size k = 0; k < depth && width < filled; ++k) {
    C* const row = panels + (last * depth + k) * cut.lanes;
    std::fill(row + width, row + filled, C(0));
  }
}

/// Up to kRows rows of A as groups of kKeys, each in the order in which memory holds it: rows kDepth apart, or columns kKeys
/// apart where columns are contiguous. Strides of the operand itself, powers of two above all, would meet in few cache
/// sets.
template <class C> void PackRows(Strided<C> A, Size n_rows, Size depth, C* block) {
  constexpr Size group = kKeys, run = 8 * group;  // rows of a column that are copied before the next one
  if (A.row_stride != 1) {
    for (Size i = 0; i < n_rows; ++i) {
      const C* row = A.data + i * A.row_stride;
      if (A.column_stride == 1)
        std::copy_n(row, depth, block + i * kDepth);
      else
        for (Size k = 0; k < depth; ++k) block[i * kDepth + k] = row[k * A.column_stride];
    }
    return;
  }
  for (Size i0 = 0; i0 < n_rows; i0 += run)
    for (Size k = 0; k < depth; ++k) {
      const C* column = A.data + k * A.column_stride;
      const Size whole = std::min(i0 + run, n_rows) / group * group;
      for (Size i = i0; i < whole; i += group)
        for (Size b = 0; b < group; ++b) block[i * kDepth + k * group + b] = column[i + b];
      for (Size i = whole; i < std::min(i0 + run, n_rows); ++i)
        block[whole * kDepth + k * group + i - whole] = column[i];
    }
}

/// N rows of the result, the first VECTORS vectors of a panel: result += rows panel. `Strides` gives the rows' strides.
template <std::size_t N, std::size_t VECTORS, class Strides, class C>
HWY_INLINE void Rows(const C* HWY_RESTRICT panel, Size depth, const C* HWY_RESTRICT rows, Strides strides,
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
  MultiplyAdd<N, C>(panel, static_cast<std::size_t>(depth), rows, static_cast<std::size_t>(strides.row()),
                    static_cast<std::size_t>(strides.column()), acc);
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

/// Where packed groups hold their numbers, known when this is compiled, and where the operand itself does.
struct PackedRows {
  static constexpr Size row() { return kDepth; }
  static constexpr Size column() { return 1; }
  static constexpr Size group() { return static_cast<Size>(kKeys) * kDepth; }
};
struct PackedColumns {
  static constexpr Size row() { return 1; }
  static constexpr Size column() { return kKeys; }
  static constexpr Size group() { return static_cast<Size>(kKeys) * kDepth; }
};
struct InPlace {
  Size row_stride, column_stride;
  Size row() const { return row_stride; }
  Size column() const { return column_stride; }
  Size group() const { return static_cast<Size>(kKeys) * row_stride; }
};

/// A block of A's rows with one packed panel of B; a last, narrow panel is multiplied by as many vectors as it fills.
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

template <class Strides, class C> auto PanelKernel(Strides, const C*, Size vectors) {
  static_assert(kVectors == 3);
  return vectors == 1   ? BlockTimesPanel<1, Strides, C>
         : vectors == 2 ? BlockTimesPanel<2, Strides, C>
                        : BlockTimesPanel<3, Strides, C>;
}

/// All packed panels with a block of A.
template <class Strides, class C>
void BlockTimesPanels(const C* block, Strides strides, Size n_rows, const C* panels, Size depth,
                      const Panels<C>& cut, C* result, Size result_stride) {
  for (Size p = 0; p < cut.count(); ++p)
    PanelKernel(strides, block, cut.vectors(p))(block, strides, n_rows, panels + p * cut.lanes * depth, depth,
                                                cut.end(p) - cut.begin(p), result + cut.begin(p),
                                                result_stride);
}

template <class C>
void Multiply(Size m, Size n, Size k, C alpha, Strided<C> A, Strided<C> B, C* result, Size result_stride) {
  if (m == 0 || n == 0 || k == 0) return;
  const Size lanes = static_cast<Size>(PanelLanes<C>()), group = kKeys;
  const auto up = [](Size x, Size multiple) { return (x + multiple - 1) / multiple * multiple; };
  const Size columns = std::min(up(n, lanes), kColumns / lanes * lanes);
  // Few panels meet a row: packing it would cost more than reading it in place.
  const bool in_place = n <= 8 * lanes && m <= 2 * kRows && k <= 2 * kDepth;
  // Small products are as short as an allocation.
  constexpr Size kSmall = 16384 / sizeof(C);
  HWY_ALIGN C small[kSmall];
  const Size n_packed = columns * std::min(k, kDepth);
  hwy::AlignedFreeUniquePtr<C[]> large, block;
  if (n_packed > kSmall) large = hwy::AllocateAligned<C>(static_cast<std::size_t>(n_packed));
  if (!in_place)
    block = hwy::AllocateAligned<C>(static_cast<std::size_t>(std::min(up(m, group), kRows) * kDepth));
  C* const panels = n_packed > kSmall ? large.get() : small;
  for (Size j0 = 0; j0 < n; j0 += columns)
    for (Size k0 = 0; k0 < k; k0 += kDepth) {
      const Size depth = std::min(kDepth, k - k0);
      const Panels<C> cut{std::min(columns, n - j0)};
      PackPanels<C>({B.data + k0 * B.row_stride + j0 * B.column_stride, B.row_stride, B.column_stride}, depth,
                    cut, alpha, panels);
      for (Size i0 = 0; i0 < m; i0 += kRows) {
        const Size height = std::min(kRows, m - i0);
        const C* rows = A.data + i0 * A.row_stride + k0 * A.column_stride;
        C* at = result + i0 * result_stride + j0;
        if (in_place) {
          BlockTimesPanels(rows, InPlace{A.row_stride, A.column_stride}, height, panels, depth, cut, at,
                           result_stride);
          continue;
        }
        PackRows<C>({rows, A.row_stride, A.column_stride}, height, depth, block.get());
        const C* packed = block.get();
        if (A.row_stride == 1)
          BlockTimesPanels(packed, PackedColumns(), height, panels, depth, cut, at, result_stride);
        else
          BlockTimesPanels(packed, PackedRows(), height, panels, depth, cut, at, result_stride);
      }
    }
}

void MultiplyFloat(Size m, Size n, Size k, float alpha, Strided<float> A, Strided<float> B, float* result,
                   std::ptrdiff_t result_stride) {
  Multiply(m, n, k, alpha, A, B, result, result_stride);
}
void MultiplyDouble(Size m, Size n, Size k, double alpha, Strided<double> A, Strided<double> B,
                    double* result, std::ptrdiff_t result_stride) {
  Multiply(m, n, k, alpha, A, B, result, result_stride);
}

}  // namespace
}  // namespace likewise::engine::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace likewise::engine::simd {
HWY_EXPORT(MultiplyFloat);
HWY_EXPORT(MultiplyDouble);

namespace {
void multiply_by_vectors(std::ptrdiff_t m, std::ptrdiff_t n, std::ptrdiff_t k, float alpha, Strided<float> A,
                         Strided<float> B, float* result, std::ptrdiff_t result_stride) {
  HWY_DYNAMIC_DISPATCH(MultiplyFloat)(m, n, k, alpha, A, B, result, result_stride);
}
}  // namespace

template <>
void multiply_add(std::ptrdiff_t m, std::ptrdiff_t n, std::ptrdiff_t k, float alpha, Strided<float> A,
                  Strided<float> B, float* result, std::ptrdiff_t result_stride) {
  if (amx_pays(m, n, k, A, B) && amx_chosen())
    amx_multiply_add(m, n, k, alpha, A, B, result, result_stride, multiply_by_vectors);
  else
    multiply_by_vectors(m, n, k, alpha, A, B, result, result_stride);
}
template <>
void multiply_add(std::ptrdiff_t m, std::ptrdiff_t n, std::ptrdiff_t k, double alpha, Strided<double> A,
                  Strided<double> B, double* result, std::ptrdiff_t result_stride) {
  HWY_DYNAMIC_DISPATCH(MultiplyDouble)(m, n, k, alpha, A, B, result, result_stride);
}

}  // namespace likewise::engine::simd
#endif
