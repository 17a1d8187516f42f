#include "engine/simd/product.hpp"

#include "engine/simd/targets.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/simd/product.cpp"
#include "hwy/foreach_target.h"

#include <algorithm>

#include "engine/simd/amx_product.hpp"
#include "engine/simd/product-inl.h"
#include "engine/simd/target.hpp"
#include "hwy/aligned_allocator.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace likewise::engine::simd::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

// A block of A (kRows x kDepth) stays in the second cache while the packed panels of B (kDepth x kColumns, in the third)
// pass; a panel stays near the first while the rows of the block pass.
constexpr Size kDepth = 384, kRows = 192, kColumns = 2112;

/// A panel (depth, WideLanes) of the first columns of B, scaled.
template <class C> void PackColumns(Strided<C> B, Size depth, Size n_columns, C alpha, C* panel) {
  const Size lanes = WideLanes<C>();
  if (B.row_stride == 1) return Transpose<C>(B.data, B.column_stride, n_columns, depth, alpha, panel, lanes);
  for (Size a = 0; a < n_columns; ++a)
    for (Size k = 0; k < depth; ++k)
      panel[k * lanes + a] = alpha * B.data[a * B.column_stride + k * B.row_stride];
}

/// The panels where B's rows are contiguous: row by row, so that a page of memory is met once and not for each panel.
template <bool SCALES, class C>
void PackContiguous(Strided<C> B, Size depth, const Panels<C>& cut, C alpha, C* panels) {
  const Tag<C> d;
  const auto factor = hn::Set(d, alpha);
  const auto put = [&](auto numbers, C* at)
                       HWY_ATTR { hn::Store(SCALES ? hn::Mul(factor, numbers) : numbers, d, at); };
  for (Size k = 0; k < depth; ++k) {
    const C* row = B.data + k * B.row_stride;
    for (Size p = 0; p < cut.count(); ++p) {
      C* at = panels + (p * depth + k) * cut.lanes;
      Size a = cut.begin(p);
      for (; a + cut.vector <= cut.end(p); a += cut.vector, at += cut.vector) put(hn::LoadU(d, row + a), at);
      for (; a < cut.end(p); ++a) *at++ = SCALES ? alpha * row[a] : row[a];
    }
  }
}

/// Columns of B as panels (depth, WideLanes), scaled; the last vector with columns is filled up with 0.
template <class C> void PackPanels(Strided<C> B, Size depth, const Panels<C>& cut, C alpha, C* panels) {
  if (B.column_stride == 1)
    alpha == C(1) ? PackContiguous<false>(B, depth, cut, alpha, panels)
                  : PackContiguous<true>(B, depth, cut, alpha, panels);
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

/// How far packed rows are apart: an odd number of cache lines, so that those that are met together lie in many sets.
template <class C> constexpr Size kPitch = kDepth + 64 / static_cast<Size>(sizeof(C));

/// Up to kRows rows of A, kPitch apart. Strides of the operand itself, powers of two above all, would meet in few cache sets.
template <class C> void PackRows(Strided<C> A, Size n_rows, Size depth, C* block) {
  if (A.row_stride == 1) return Transpose<C>(A.data, A.column_stride, depth, n_rows, C(1), block, kPitch<C>);
  for (Size i = 0; i < n_rows; ++i) {
    const C* row = A.data + i * A.row_stride;
    if (A.column_stride == 1)
      std::copy_n(row, depth, block + i * kPitch<C>);
    else
      for (Size k = 0; k < depth; ++k) block[i * kPitch<C> + k] = row[k * A.column_stride];
  }
}

/// Where packed rows hold their numbers, known when this is compiled.
template <class C> struct Packed {
  static constexpr Size row() { return kPitch<C>; }
  static constexpr Size column() { return 1; }
  static Size pitch() { return WideLanes<C>(); }
};

/// All packed panels with a block of A.
template <class Strides, class C>
void BlockTimesPanels(const C* block, Strides strides, Size n_rows, const C* panels, Size depth,
                      const Panels<C>& cut, C* result, Size result_stride) {
  for (Size p = 0; p < cut.count(); ++p)
    PanelKernel(strides, block, cut.vectors(p))(block, strides, n_rows, panels + p * cut.lanes * depth, depth,
                                                cut.end(p) - cut.begin(p), result + cut.begin(p),
                                                result_stride);
}

/// The size of the fewest equal parts of `whole` of at most `most`: a short last one would visit the result for little.
Size EqualPart(Size whole, Size most) {
  constexpr Size group = kWideRows;
  const Size parts = (whole + most - 1) / most;
  return ((whole + parts - 1) / parts + group - 1) / group * group;
}

/// Few rows times rows of whole vectors: nothing is packed. The gradient of a layer's weights, where k counts the tokens, is
/// of this form.
constexpr Size kFewRows = 64, kFewColumns = 64;

template <class C> bool IsFew(Size m, Size n, C alpha, Strided<C> A, Strided<C> B) {
  return m <= kFewRows && n <= kFewColumns && n % static_cast<Size>(hn::Lanes(Tag<C>())) == 0 && alpha == C(1)
         && A.row_stride == 1 && B.column_stride == 1;
}

template <class C>
void MultiplyFew(Size m, Size n, Size k, Strided<C> A, Strided<C> B, C* result, Size result_stride) {
  const Panels<C> cut{n};
  const InPlace strides{A.row_stride, A.column_stride, B.row_stride};
  const Size depth_of = EqualPart(k, kDepth);  // as packed products are cut: a number's sum has one order
  for (Size k0 = 0; k0 < k; k0 += depth_of)
    for (Size p = 0; p < cut.count(); ++p)
      PanelKernel(strides, A.data, cut.vectors(p))(
          A.data + k0 * A.column_stride, strides, m, B.data + k0 * B.row_stride + cut.begin(p),
          std::min(depth_of, k - k0), cut.end(p) - cut.begin(p), result + cut.begin(p), result_stride);
}

template <class C>
void Multiply(Size m, Size n, Size k, C alpha, Strided<C> A, Strided<C> B, C* result, Size result_stride) {
  if (m == 0 || n == 0 || k == 0) return;
  if (IsFew(m, n, alpha, A, B)) return MultiplyFew(m, n, k, A, B, result, result_stride);
  const Size lanes = WideLanes<C>(), group = kWideRows;
  const auto up = [](Size x, Size multiple) { return (x + multiple - 1) / multiple * multiple; };
  const Size height_of = EqualPart(m, kRows), depth_of = EqualPart(k, kDepth);
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
    block = hwy::AllocateAligned<C>(static_cast<std::size_t>(std::min(up(m, group), kRows) * kPitch<C>));
  C* const panels = n_packed > kSmall ? large.get() : small;
  for (Size j0 = 0; j0 < n; j0 += columns)
    for (Size k0 = 0; k0 < k; k0 += depth_of) {
      const Size depth = std::min(depth_of, k - k0);
      const Panels<C> cut{std::min(columns, n - j0)};
      PackPanels<C>({B.data + k0 * B.row_stride + j0 * B.column_stride, B.row_stride, B.column_stride}, depth,
                    cut, alpha, panels);
      for (Size i0 = 0; i0 < m; i0 += height_of) {
        const Size height = std::min(height_of, m - i0);
        const C* rows = A.data + i0 * A.row_stride + k0 * A.column_stride;
        C* at = result + i0 * result_stride + j0;
        if (in_place) {
          BlockTimesPanels(rows, InPlace{A.row_stride, A.column_stride, lanes}, height, panels, depth, cut,
                           at, result_stride);
          continue;
        }
        PackRows<C>({rows, A.row_stride, A.column_stride}, height, depth, block.get());
        const C* packed = block.get();
        BlockTimesPanels(packed, Packed<C>(), height, panels, depth, cut, at, result_stride);
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
