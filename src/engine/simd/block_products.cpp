#include "engine/simd/block_products.hpp"

#include <algorithm>
#include <vector>

#include "engine/simd/targets.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/simd/block_products.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace likewise::engine::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Up to 4 vectors of a row are summed in registers; what is left takes two narrower ones that overlap (11 doubles: 8 from the
// first on, 8 up to the last), so that edges are read once more and not once for each power of two. Few vectors are summed in
// several chains of edges, since one chain would wait for each of its additions.

/// V vectors of columns from `at` on, each `apart` from the one before.
template <std::size_t V, class D, class T>
void step_columns(D d, const SparseStep<T>& s, Block rows, Index at, Index apart) {
  constexpr int chains = V >= 4 ? 1 : 4 / V;
  const auto alpha = hn::Set(d, s.alpha), beta = hn::Set(d, s.beta), gamma = hn::Set(d, s.gamma);
  const T* const X = s.X + at;
  for (Index i = rows.begin; i < rows.begin + rows.size; ++i) {
    hn::Vec<D> sums[chains][V];
    for (auto& sum : sums)
      for (auto& part : sum) part = hn::Zero(d);
    const auto add = [&](int e, int chain) HWY_ATTR {
      const auto a = hn::Set(d, s.A.values[e]);
      const T* const x = X + s.A.indices[e] * s.columns;
      for (std::size_t v = 0; v < V; ++v)
        sums[chain][v] = hn::MulAdd(a, hn::LoadU(d, x + static_cast<Index>(v) * apart), sums[chain][v]);
    };
    int e = s.A.offsets[i];
    const int end = s.A.offsets[i + 1];
    for (; end - e >= chains; e += chains)
      for (int chain = 0; chain < chains; ++chain) add(e + chain, chain);
    for (; e < end; ++e) add(e, 0);
    for (int half = chains / 2; half > 0; half /= 2)
      for (int chain = 0; chain < half; ++chain)
        for (std::size_t v = 0; v < V; ++v) sums[chain][v] = hn::Add(sums[chain][v], sums[chain + half][v]);
    auto& sum = sums[0];
    const Index row = i * s.columns + at;
    for (std::size_t v = 0; v < V; ++v) {
      const Index here = row + static_cast<Index>(v) * apart;
      auto y = hn::Mul(alpha, sum[v]);
      if (s.beta != T(0)) y = hn::MulAdd(beta, hn::LoadU(d, s.X + here), y);
      if (s.gamma != T(0)) y = hn::MulAdd(gamma, hn::LoadU(d, s.Z + here), y);
      if (s.R)
        y = hn::MulAdd(hn::LoadU(d, s.delta + at + static_cast<Index>(v) * apart), hn::LoadU(d, s.R + here),
                       y);
      sum[v] = y;
    }
    for (std::size_t v = 0; v < V; ++v)  // Y may be Z, and vectors may overlap
      hn::StoreU(sum[v], d, s.Y + row + static_cast<Index>(v) * apart);
  }
}

template <std::size_t kLanes, class T> void step_tail(const SparseStep<T>& s, Block rows, Index at) {
  const hn::CappedTag<T, kLanes> d;
  const auto n = static_cast<Index>(hn::Lanes(d));
  for (; s.columns - at >= 2 * n; at += 2 * n) step_columns<2>(d, s, rows, at, n);
  const Index left = s.columns - at;
  if (left == n) return step_columns<1>(d, s, rows, at, n);
  if (left > n) return step_columns<2>(d, s, rows, at, left - n);
  if constexpr (kLanes > 1)
    if (left > 0) step_tail<kLanes / 2>(s, rows, at);
}

template <class T> void step_all(const SparseStep<T>& s, Block rows) {
  const hn::ScalableTag<T> d;
  const auto n = static_cast<Index>(hn::Lanes(d));
  Index at = 0;
  for (; s.columns - at >= 4 * n; at += 4 * n) step_columns<4>(d, s, rows, at, n);
  for (; s.columns - at >= 2 * n; at += 2 * n) step_columns<2>(d, s, rows, at, n);
  step_tail<16>(s, rows, at);
}

void step_float(const SparseStep<float>& s, Block rows) { step_all(s, rows); }
void step_double(const SparseStep<double>& s, Block rows) { step_all(s, rows); }

/// G (p, q) += X^T Y over n rows.
void add_gram(const double* X, Index p, const double* Y, Index q, Index n, double* G) {
  const hn::CappedTag<double, 8> d;
  const auto lanes = static_cast<Index>(hn::Lanes(d));
  constexpr int P = 4;
  for (Index a = 0; a < p; a += P)
    for (Index b = 0; b < q; b += 2 * lanes) {
      hn::Vec<decltype(d)> sum[P][2];
      for (auto& row : sum) row[0] = row[1] = hn::Zero(d);
      for (Index i = 0; i < n; ++i) {
        const auto y0 = hn::LoadU(d, Y + i * q + b), y1 = hn::LoadU(d, Y + i * q + b + lanes);
        for (int r = 0; r < P; ++r) {
          const auto x = hn::Set(d, X[i * p + a + r]);
          sum[r][0] = hn::MulAdd(x, y0, sum[r][0]);
          sum[r][1] = hn::MulAdd(x, y1, sum[r][1]);
        }
      }
      for (int r = 0; r < P; ++r) {
        double* const g = G + (a + r) * q + b;
        hn::StoreU(hn::Add(hn::LoadU(d, g), sum[r][0]), d, g);
        hn::StoreU(hn::Add(hn::LoadU(d, g + lanes), sum[r][1]), d, g + lanes);
      }
    }
}

/// Y (n, q) = X (n, p) C (p, q).
void times_small(const double* X, Index p, const double* C, Index q, Index n, double* Y) {
  const hn::CappedTag<double, 8> d;
  const auto lanes = static_cast<Index>(hn::Lanes(d));
  constexpr Index P = 4;
  for (Index b = 0; b < q; b += 2 * lanes)
    for (Index i = 0; i < n; i += P) {
      const Index size = n - i < P ? n - i : P;
      hn::Vec<decltype(d)> sum[P][2];
      for (auto& row : sum) row[0] = row[1] = hn::Zero(d);
      for (Index k = 0; k < p; ++k) {
        const auto c0 = hn::LoadU(d, C + k * q + b), c1 = hn::LoadU(d, C + k * q + b + lanes);
        for (Index r = 0; r < P; ++r) {
          const auto x = hn::Set(d, X[(i + (r < size ? r : 0)) * p + k]);
          sum[r][0] = hn::MulAdd(x, c0, sum[r][0]);
          sum[r][1] = hn::MulAdd(x, c1, sum[r][1]);
        }
      }
      for (Index r = 0; r < size; ++r) {
        hn::StoreU(sum[r][0], d, Y + (i + r) * q + b);
        hn::StoreU(sum[r][1], d, Y + (i + r) * q + b + lanes);
      }
    }
}

/// Y (R rows, C columns; ld c) = P (R, n) V for V^T (C, n).
template <Index R, Index C, class T> void dense_tile(const T* P, const T* V, Index n, T* Y, Index c) {
  const hn::ScalableTag<T> d;
  const auto lanes = static_cast<Index>(hn::Lanes(d));
  hn::Vec<decltype(d)> sum[R][C];
  for (auto& row : sum)
    for (auto& s : row) s = hn::Zero(d);
  Index j = 0;
  for (; j + lanes <= n; j += lanes) {
    hn::Vec<decltype(d)> v[C];
    for (Index b = 0; b < C; ++b) v[b] = hn::LoadU(d, V + b * n + j);
    for (Index a = 0; a < R; ++a) {
      const auto p = hn::LoadU(d, P + a * n + j);
      for (Index b = 0; b < C; ++b) sum[a][b] = hn::MulAdd(p, v[b], sum[a][b]);
    }
  }
  for (Index a = 0; a < R; ++a)
    for (Index b = 0; b < C; ++b) {
      T y = hn::GetLane(hn::SumOfLanes(d, sum[a][b]));
      for (Index e = j; e < n; ++e) y += P[a * n + e] * V[b * n + e];
      Y[a * c + b] = y;
    }
}

template <Index R, class T> void dense_rows(const T* P, const T* V, Index n, T* Y, Index c) {
  Index b = 0;
  for (; b + 4 <= c; b += 4) dense_tile<R, 4>(P, V + b * n, n, Y + b, c);
  for (; b + 2 <= c; b += 2) dense_tile<R, 2>(P, V + b * n, n, Y + b, c);
  if (b < c) dense_tile<R, 1>(P, V + b * n, n, Y + b, c);
}

template <class T> void dense_all(const T* P, const T* V, Index n, T* Y, Index c, Index rows) {
  Index i = 0;
  for (; i + 4 <= rows; i += 4) dense_rows<4>(P + i * n, V, n, Y + i * c, c);
  for (; i < rows; ++i) dense_rows<1>(P + i * n, V, n, Y + i * c, c);
}

void dense_float(const float* P, const float* V, Index n, float* Y, Index c, Index rows) {
  dense_all(P, V, n, Y, c, rows);
}
void dense_double(const double* P, const double* V, Index n, double* Y, Index c, Index rows) {
  dense_all(P, V, n, Y, c, rows);
}

}  // namespace likewise::engine::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace likewise::engine {

HWY_EXPORT(step_float);
HWY_EXPORT(step_double);
HWY_EXPORT(add_gram);
HWY_EXPORT(times_small);
HWY_EXPORT(dense_float);
HWY_EXPORT(dense_double);

void sparse_step(const SparseStep<float>& step, Block rows) { HWY_DYNAMIC_DISPATCH(step_float)(step, rows); }
void sparse_step(const SparseStep<double>& step, Block rows) {
  HWY_DYNAMIC_DISPATCH(step_double)(step, rows);
}

void dense_rows_product(const Matrix<float>& P, const Matrix<float>& V, Matrix<float>& Y, Block rows) {
  HWY_DYNAMIC_DISPATCH(dense_float)
  (P.data() + rows.begin * P.cols(), V.data(), P.cols(), Y.data() + rows.begin * Y.cols(), Y.cols(),
   rows.size);
}
void dense_rows_product(const Matrix<double>& P, const Matrix<double>& V, Matrix<double>& Y, Block rows) {
  HWY_DYNAMIC_DISPATCH(dense_double)
  (P.data() + rows.begin * P.cols(), V.data(), P.cols(), Y.data() + rows.begin * Y.cols(), Y.cols(),
   rows.size);
}

void add_gram(const Matrix<double>& X, const Matrix<double>& Y, Matrix<double>& G, Block rows) {
  HWY_DYNAMIC_DISPATCH(add_gram)
  (X.data() + rows.begin * X.cols(), X.cols(), Y.data() + rows.begin * Y.cols(), Y.cols(), rows.size,
   G.data());
}

void tall_times_small(const Matrix<double>& X, const Matrix<double>& C, Matrix<double>& Y, Block rows) {
  HWY_DYNAMIC_DISPATCH(times_small)
  (X.data() + rows.begin * X.cols(), X.cols(), C.data(), C.cols(), rows.size,
   Y.data() + rows.begin * Y.cols());
}

}  // namespace likewise::engine
#endif
