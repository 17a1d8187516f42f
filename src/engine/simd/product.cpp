#include "engine/simd/product.hpp"

#include "engine/simd/targets.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/simd/product.cpp"
#include "hwy/foreach_target.h"

#include <algorithm>

#include "engine/simd/panel-inl.h"
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
constexpr Size kDepth = 256, kRows = 256, kColumns = 2112;

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

/// The first columns of B as a panel (depth, PanelLanes), scaled; lanes beyond n_columns are 0.
template <class C> void PackColumns(Strided<C> B, Size depth, Size n_columns, C alpha, C* panel) {
  const Size lanes = static_cast<Size>(PanelLanes<C>());
  if (B.column_stride == 1) {
    for (Size k = 0; k < depth; ++k) {
      const C* row = B.data + k * B.row_stride;
      for (Size a = 0; a < n_columns; ++a) panel[k * lanes + a] = alpha * row[a];
    }
  } else if (B.row_stride == 1) {
    Transpose<C>(B.data, B.column_stride, n_columns, depth, alpha, panel, lanes);
  } else {
    for (Size a = 0; a < n_columns; ++a)
      for (Size k = 0; k < depth; ++k)
        panel[k * lanes + a] = alpha * B.data[a * B.column_stride + k * B.row_stride];
  }
  if (n_columns < lanes)
    for (Size k = 0; k < depth; ++k) std::fill(panel + k * lanes + n_columns, panel + (k + 1) * lanes, C(0));
}

/// Up to kRows rows of A as groups of kKeys, each in the order in which memory holds it: rows kDepth apart, or columns kKeys
/// apart where columns are contiguous. Strides of the operand itself, powers of two above all, would meet in few cache
/// sets.
template <class C> void PackRows(Strided<C> A, Size n_rows, Size depth, C* block) {
  constexpr Size group = kKeys, run = 8 * group;  // rows of a column that are copied before the next one
  if (A.row_stride != 1) {
    for (Size i = 0; i < n_rows; ++i)
      for (Size k = 0; k < depth; ++k) block[i * kDepth + k] = A.data[i * A.row_stride + k * A.column_stride];
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

/// N rows of the result, the first kUsed vectors of a panel: result += group panel.
template <std::size_t N, std::size_t kUsed, class C>
HWY_INLINE void Rows(const C* HWY_RESTRICT panel, Size depth, Strided<C> A, Size n_columns,
                     C* HWY_RESTRICT result, Size result_stride) {
  const Tag<C> d;
  const std::size_t lanes = hn::Lanes(d);
  const C* HWY_RESTRICT group = A.data;
  const Size row_stride = A.row_stride, column_stride = A.column_stride;
  Vec<C> acc[N][kUsed];
  LIKEWISE_UNROLL
  for (std::size_t b = 0; b < N; ++b) {
    LIKEWISE_UNROLL
    for (std::size_t v = 0; v < kUsed; ++v) acc[b][v] = hn::Zero(d);
    // The result comes from far; it is on its way while the products are summed.
    for (std::size_t v = 0; v <= kUsed * lanes; v += 64 / sizeof(C))
      hwy::Prefetch(result + static_cast<Size>(b) * result_stride + v);
  }
  for (Size k = 0; k < depth; ++k, panel += kVectors * lanes, group += column_stride) {
    Vec<C> q[kUsed];
    LIKEWISE_UNROLL
    for (std::size_t v = 0; v < kUsed; ++v) q[v] = hn::Load(d, panel + v * lanes);
    LIKEWISE_UNROLL
    for (std::size_t b = 0; b < N; ++b) {
      const Vec<C> z = hn::Set(d, group[static_cast<Size>(b) * row_stride]);
      LIKEWISE_UNROLL
      for (std::size_t v = 0; v < kUsed; ++v) acc[b][v] = hn::MulAdd(q[v], z, acc[b][v]);
    }
  }
  HWY_ALIGN C last[kUsed * hn::MaxLanes(Tag<C>())];
  LIKEWISE_UNROLL
  for (std::size_t b = 0; b < N; ++b) {
    C* row = result + static_cast<Size>(b) * result_stride;
    if (n_columns == static_cast<Size>(kUsed * lanes)) {
      LIKEWISE_UNROLL
      for (std::size_t v = 0; v < kUsed; ++v)
        hn::StoreU(hn::Add(hn::LoadU(d, row + v * lanes), acc[b][v]), d, row + v * lanes);
    } else {
      for (std::size_t v = 0; v < kUsed; ++v) hn::Store(acc[b][v], d, last + v * lanes);
      for (Size a = 0; a < n_columns; ++a) row[a] += last[a];
    }
  }
}

/// A block of A, whose groups of kKeys rows stand `group_step` apart, with one packed panel of B.
template <std::size_t kUsed, class C>
HWY_NOINLINE void BlockTimesPanel(Strided<C> A, Size group_step, Size n_rows, const C* panel, Size depth,
                                  Size n_columns, C* result, Size result_stride) {
  constexpr Size group = kKeys;
  for (Size i = 0; i < n_rows; i += group, A.data += group_step, result += group * result_stride) {
    if (n_rows - i >= group) {
      Rows<kKeys, kUsed, C>(panel, depth, A, n_columns, result, result_stride);
      continue;
    }
    for (Size b = 0; b < n_rows - i; ++b)
      Rows<1, kUsed, C>(panel, depth, {A.data + b * A.row_stride, A.row_stride, A.column_stride}, n_columns,
                        result + b * result_stride, result_stride);
  }
}

template <class C>
void Multiply(Size m, Size n, Size k, C alpha, Strided<C> A, Strided<C> B, C* result, Size result_stride) {
  if (m == 0 || n == 0 || k == 0) return;
  const Size lanes = static_cast<Size>(PanelLanes<C>()), group = kKeys;
  const auto up = [](Size x, Size multiple) { return (x + multiple - 1) / multiple * multiple; };
  const Size columns = std::min(up(n, lanes), kColumns / lanes * lanes);
  auto panels = hwy::AllocateAligned<C>(static_cast<std::size_t>(columns * std::min(k, kDepth)));
  auto block = hwy::AllocateAligned<C>(static_cast<std::size_t>(std::min(up(m, group), kRows) * kDepth));
  // One panel meets rows of A once: they are read where they stand, unless their strides meet in few cache sets.
  const bool packed = n > lanes || A.row_stride * static_cast<Size>(sizeof(C)) % 1024 == 0;
  // The last panel may use one or two of its vectors.
  static_assert(kVectors == 3);
  constexpr decltype(&BlockTimesPanel<3, C>) multiply[] = {BlockTimesPanel<1, C>, BlockTimesPanel<2, C>,
                                                           BlockTimesPanel<3, C>};
  for (Size j0 = 0; j0 < n; j0 += columns)
    for (Size k0 = 0; k0 < k; k0 += kDepth) {
      const Size depth = std::min(kDepth, k - k0), width = std::min(columns, n - j0);
      for (Size j = 0; j < width; j += lanes)
        PackColumns<C>(
            {B.data + k0 * B.row_stride + (j0 + j) * B.column_stride, B.row_stride, B.column_stride}, depth,
            std::min(lanes, width - j), alpha, panels.get() + j * depth);
      for (Size i0 = 0; i0 < m; i0 += kRows) {
        const Size height = std::min(kRows, m - i0);
        const Strided<C> rows{A.data + i0 * A.row_stride + k0 * A.column_stride, A.row_stride,
                              A.column_stride};
        if (packed) PackRows<C>(rows, height, depth, block.get());
        const Strided<C> a = !packed             ? rows
                             : A.row_stride == 1 ? Strided<C>{block.get(), 1, group}
                                                 : Strided<C>{block.get(), kDepth, 1};
        const Size group_step = group * (packed ? kDepth : A.row_stride);
        for (Size j = 0; j < width; j += lanes) {
          const Size n_columns = std::min(lanes, width - j),
                     used = (n_columns - 1) / (lanes / Size{kVectors});
          multiply[used](a, group_step, height, panels.get() + j * depth, depth, n_columns,
                         result + i0 * result_stride + j0 + j, result_stride);
        }
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

template <>
void multiply_add(std::ptrdiff_t m, std::ptrdiff_t n, std::ptrdiff_t k, float alpha, Strided<float> A,
                  Strided<float> B, float* result, std::ptrdiff_t result_stride) {
  HWY_DYNAMIC_DISPATCH(MultiplyFloat)(m, n, k, alpha, A, B, result, result_stride);
}
template <>
void multiply_add(std::ptrdiff_t m, std::ptrdiff_t n, std::ptrdiff_t k, double alpha, Strided<double> A,
                  Strided<double> B, double* result, std::ptrdiff_t result_stride) {
  HWY_DYNAMIC_DISPATCH(MultiplyDouble)(m, n, k, alpha, A, B, result, result_stride);
}

}  // namespace likewise::engine::simd
#endif
