#include "engine/simd/product.hpp"

#include "engine/simd/targets.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/simd/product.cpp"
#include "hwy/foreach_target.h"

#include <algorithm>

#include "engine/simd/panel-inl.h"
#include "hwy/aligned_allocator.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace likewise::engine::simd::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

constexpr std::ptrdiff_t kDepth = 256;  // of a packed panel: it stays in the first two caches

/// Columns first ... of B as a panel (depth, PanelLanes), scaled; lanes beyond n_columns are 0.
template <class C>
void PackColumns(Strided<C> B, std::ptrdiff_t depth, std::ptrdiff_t n_columns, C alpha, C* panel) {
  const std::ptrdiff_t lanes = static_cast<std::ptrdiff_t>(PanelLanes<C>());
  if (B.column_stride == 1) {
    for (std::ptrdiff_t k = 0; k < depth; ++k) {
      const C* row = B.data + k * B.row_stride;
      for (std::ptrdiff_t a = 0; a < n_columns; ++a) panel[k * lanes + a] = alpha * row[a];
      for (std::ptrdiff_t a = n_columns; a < lanes; ++a) panel[k * lanes + a] = C(0);
    }
    return;
  }
  for (std::ptrdiff_t a = 0; a < lanes; ++a) {
    const C* column = B.data + a * B.column_stride;
    for (std::ptrdiff_t k = 0; k < depth; ++k)
      panel[k * lanes + a] = a < n_columns ? alpha * column[k * B.row_stride] : C(0);
  }
}

/// N rows of the result, all lanes of a panel: result += A panel.
template <std::size_t N, class C>
HWY_INLINE void Rows(const C* HWY_RESTRICT panel, std::ptrdiff_t depth, const C* HWY_RESTRICT A,
                     std::ptrdiff_t row_stride, std::ptrdiff_t column_stride, std::ptrdiff_t n_columns,
                     C* HWY_RESTRICT result, std::ptrdiff_t result_stride) {
  const Tag<C> d;
  const std::size_t lanes = hn::Lanes(d);
  Vec<C> acc[N][kVectors];
  LIKEWISE_UNROLL
  for (std::size_t b = 0; b < N; ++b) {
    LIKEWISE_UNROLL
    for (std::size_t v = 0; v < kVectors; ++v) acc[b][v] = hn::Zero(d);
  }
  MultiplyAdd<N, C>(panel, static_cast<std::size_t>(depth), A, static_cast<std::size_t>(row_stride),
                    static_cast<std::size_t>(column_stride), acc);
  HWY_ALIGN C last[kVectors * hn::MaxLanes(Tag<C>())];
  LIKEWISE_UNROLL
  for (std::size_t b = 0; b < N; ++b) {
    C* row = result + static_cast<std::ptrdiff_t>(b) * result_stride;
    if (n_columns == static_cast<std::ptrdiff_t>(kVectors * lanes)) {
      LIKEWISE_UNROLL
      for (std::size_t v = 0; v < kVectors; ++v)
        hn::StoreU(hn::Add(hn::LoadU(d, row + v * lanes), acc[b][v]), d, row + v * lanes);
    } else {
      for (std::size_t v = 0; v < kVectors; ++v) hn::Store(acc[b][v], d, last + v * lanes);
      for (std::ptrdiff_t a = 0; a < n_columns; ++a) row[a] += last[a];
    }
  }
}

template <class C>
void Multiply(std::ptrdiff_t m, std::ptrdiff_t n, std::ptrdiff_t k, C alpha, Strided<C> A, Strided<C> B,
              C* result, std::ptrdiff_t result_stride) {
  const std::ptrdiff_t lanes = static_cast<std::ptrdiff_t>(PanelLanes<C>()), group = kKeys;
  const std::ptrdiff_t n_panels = (n + lanes - 1) / lanes;
  const std::ptrdiff_t together =
      std::min<std::ptrdiff_t>(n_panels, 4);  // panels that rows of A meet while warm
  auto panels = hwy::AllocateAligned<C>(static_cast<std::size_t>(together * lanes * std::min(k, kDepth)));
  for (std::ptrdiff_t k0 = 0; k0 < k; k0 += kDepth) {
    const std::ptrdiff_t depth = std::min(kDepth, k - k0);
    for (std::ptrdiff_t p0 = 0; p0 < n_panels; p0 += together) {
      const std::ptrdiff_t count = std::min(together, n_panels - p0);
      for (std::ptrdiff_t p = 0; p < count; ++p) {
        const std::ptrdiff_t j = (p0 + p) * lanes;
        PackColumns<C>({B.data + k0 * B.row_stride + j * B.column_stride, B.row_stride, B.column_stride},
                       depth, std::min(lanes, n - j), alpha, panels.get() + p * lanes * depth);
      }
      for (std::ptrdiff_t i = 0; i < m; i += group) {
        const C* rows = A.data + i * A.row_stride + k0 * A.column_stride;
        for (std::ptrdiff_t p = 0; p < count; ++p) {
          const std::ptrdiff_t j = (p0 + p) * lanes, n_columns = std::min(lanes, n - j);
          const C* panel = panels.get() + p * lanes * depth;
          C* at = result + i * result_stride + j;
          if (m - i >= group)
            Rows<kKeys, C>(panel, depth, rows, A.row_stride, A.column_stride, n_columns, at, result_stride);
          else
            for (std::ptrdiff_t b = 0; b < m - i; ++b)
              Rows<1, C>(panel, depth, rows + b * A.row_stride, A.row_stride, A.column_stride, n_columns,
                         at + b * result_stride, result_stride);
        }
      }
    }
  }
}

void MultiplyFloat(std::ptrdiff_t m, std::ptrdiff_t n, std::ptrdiff_t k, float alpha, Strided<float> A,
                   Strided<float> B, float* result, std::ptrdiff_t result_stride) {
  Multiply(m, n, k, alpha, A, B, result, result_stride);
}
void MultiplyDouble(std::ptrdiff_t m, std::ptrdiff_t n, std::ptrdiff_t k, double alpha, Strided<double> A,
                    Strided<double> B, double* result, std::ptrdiff_t result_stride) {
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
