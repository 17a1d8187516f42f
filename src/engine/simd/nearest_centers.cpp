#include "engine/simd/nearest_centers.hpp"

#include "engine/simd/targets.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/simd/nearest_centers.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace likewise::engine::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
using Lanes = hn::CappedTag<double, 8>;

/// visit(c, squared distances of the points at `at` to center c), c ascending; coordinates are loaded once for four
/// centers.
template <class Visit>
void visit_distances(const double* X, Index dims, const double* centers, Index k, Index at,
                     const Visit& visit) {
  const Lanes d;
  constexpr Index C = 4;
  for (Index c = 0; c < k; c += C) {
    const Index size = k - c < C ? k - c : C;
    const double* row[C];
    for (Index a = 0; a < C; ++a) row[a] = centers + (c + (a < size ? a : 0)) * dims;
    hn::Vec<Lanes> sum[C];
    for (auto& s : sum) s = hn::Zero(d);
    for (Index p = 0; p < dims; ++p) {
      const auto x = hn::LoadU(d, X + p * PointColumns::block + at);
      for (Index a = 0; a < C; ++a) {
        const auto difference = hn::Sub(x, hn::Set(d, row[a][p]));
        sum[a] = hn::MulAdd(difference, difference, sum[a]);
      }
    }
    for (Index a = 0; a < size; ++a) visit(c + a, sum[a]);
  }
}

void nearest(const double* X, Index dims, const double* centers, Index k, double* number, double* cost) {
  const Lanes d;
  for (Index at = 0; at < PointColumns::block; at += static_cast<Index>(hn::Lanes(d))) {
    auto best = hn::Zero(d), least = hn::Inf(d);
    visit_distances(X, dims, centers, k, at, [&](Index c, auto distance) {
      const auto nearer = hn::Lt(distance, least);
      best = hn::IfThenElse(nearer, hn::Set(d, static_cast<double>(c)), best);
      least = hn::Min(distance, least);
    });
    hn::StoreU(best, d, number + at);
    hn::StoreU(least, d, cost + at);
  }
}

void nearer(const double* X, Index dims, const double* centers, Index k, const double* before, double* then) {
  const Lanes d;
  for (Index at = 0; at < PointColumns::block; at += static_cast<Index>(hn::Lanes(d)))
    visit_distances(X, dims, centers, k, at, [&](Index c, auto distance) {
      hn::StoreU(hn::Min(distance, hn::LoadU(d, before + at)), d, then + c * PointColumns::block + at);
    });
}

}  // namespace likewise::engine::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace likewise::engine {

HWY_EXPORT(nearest);
HWY_EXPORT(nearer);

PointColumns::PointColumns(const Matrix<double>& X) : n_(X.rows()), dims_(X.cols()) {
  X_ = Vector<double>::Zero(blocks() * block * dims_);
  for (Index i = 0; i < n_; ++i)
    for (Index p = 0; p < dims_; ++p) X_(((i / block) * dims_ + p) * block + i % block) = X(i, p);
}

void nearest_centers(const PointColumns& X, Index b, const Matrix<double>& centers, double* number,
                     double* cost) {
  HWY_DYNAMIC_DISPATCH(nearest)(X.coordinates(b), X.dims(), centers.data(), centers.rows(), number, cost);
}

void nearer_with_each(const PointColumns& X, Index b, const Matrix<double>& centers, const double* nearest,
                      double* then) {
  HWY_DYNAMIC_DISPATCH(nearer)(X.coordinates(b), X.dims(), centers.data(), centers.rows(), nearest, then);
}

}  // namespace likewise::engine
#endif
