#include "engine/simd/squared_distances.hpp"

#include <hwy/cache_control.h>

#include <cmath>
#include <limits>

#include "engine/simd/targets.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/simd/squared_distances.cpp"
#include "hwy/foreach_target.h"

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace likewise::engine::simd::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

template <class D> HWY_INLINE hn::Vec<D> LoadDouble(D d, const double* at) { return hn::LoadU(d, at); }
template <class D> HWY_INLINE hn::Vec<D> LoadDouble(D d, const float* at) {
  return hn::PromoteTo(d, hn::LoadU(hn::Rebind<float, D>(), at));
}

/// sum_k value(k)^2. Four sums, since one alone would wait for each of its additions; what is left of a row by itself.
template <class Values, class Value>
HWY_INLINE double SumOfSquares(std::ptrdiff_t width, const Values& values, const Value& value) {
  const hn::ScalableTag<double> d;
  const std::ptrdiff_t lanes = static_cast<std::ptrdiff_t>(hn::Lanes(d));
  std::ptrdiff_t k = 0;
  double sum = 0;
  if (width >= lanes) {
    auto a = hn::Zero(d), b = a, c = a, e = a;
    const auto add = [&](std::ptrdiff_t at, hn::Vec<decltype(d)>& to) HWY_ATTR {
      const auto v = values(d, at);
      to = hn::MulAdd(v, v, to);
    };
    for (; k + 4 * lanes <= width; k += 4 * lanes) {
      add(k, a);
      add(k + lanes, b);
      add(k + 2 * lanes, c);
      add(k + 3 * lanes, e);
    }
    for (; k + lanes <= width; k += lanes) add(k, a);
    sum = hn::GetLane(hn::SumOfLanes(d, hn::Add(hn::Add(a, b), hn::Add(c, e))));
  }
  for (; k < width; ++k) sum += value(k) * value(k);
  return sum;
}

template <class T> HWY_INLINE double SquaredDistance(const T* x, const T* z, std::ptrdiff_t width) {
  return SumOfSquares(
      width,
      [&](auto d, std::ptrdiff_t k) HWY_ATTR { return hn::Sub(LoadDouble(d, x + k), LoadDouble(d, z + k)); },
      [&](std::ptrdiff_t k) { return static_cast<double>(x[k]) - static_cast<double>(z[k]); });
}

template <class T> HWY_INLINE double SquaredLength(const T* x, std::ptrdiff_t width) {
  return SumOfSquares(
      width, [&](auto d, std::ptrdiff_t k) HWY_ATTR { return LoadDouble(d, x + k); },
      [&](std::ptrdiff_t k) { return static_cast<double>(x[k]); });
}

/// |x - r z|^2 with r = |x| / |z|: exactly 0 of a point and itself, whether or not products are contracted.
template <class T> HWY_INLINE double SquaredChord(const T* x, double r, const T* z, std::ptrdiff_t width) {
  return SumOfSquares(
      width,
      [&](auto d, std::ptrdiff_t k)
          HWY_ATTR { return hn::NegMulAdd(hn::Set(d, r), LoadDouble(d, z + k), LoadDouble(d, x + k)); },
      [&](std::ptrdiff_t k) { return static_cast<double>(x[k]) - r * static_cast<double>(z[k]); });
}

/// Asks for a row before it is needed.
template <class T> HWY_INLINE void Prefetch(const T* row, std::ptrdiff_t width) {
  constexpr std::ptrdiff_t line = 64 / sizeof(T);
  for (std::ptrdiff_t k = 0; k < width; k += line) hwy::Prefetch(row + k);
}

/// Calls put(m, row) for each row, the next ones already on their way: keys lie scattered in memory.
template <class T, class Put>
HWY_INLINE void ForRows(const T* keys, std::ptrdiff_t stride, const std::ptrdiff_t* index, std::ptrdiff_t n,
                        std::ptrdiff_t width, const Put& put) {
  constexpr std::ptrdiff_t ahead = 8;
  const auto row = [&](std::ptrdiff_t m) HWY_ATTR { return keys + index[m] * stride; };
  for (std::ptrdiff_t m = 0; m < ahead && m < n; ++m) Prefetch(row(m), width);
  for (std::ptrdiff_t m = 0; m < n; ++m) {
    if (m + ahead < n) Prefetch(row(m + ahead), width);
    put(m, row(m));
  }
}

template <class T>
HWY_INLINE void SquaredDistances(const T* x, const T* keys, std::ptrdiff_t stride,
                                 const std::ptrdiff_t* index, std::ptrdiff_t n, std::ptrdiff_t width,
                                 double* out) {
  ForRows(keys, stride, index, n, width,
          [&](std::ptrdiff_t m, const T* z) HWY_ATTR { out[m] = SquaredDistance(x, z, width); });
}

template <class T>
HWY_INLINE void HalfChords(const T* x, const T* keys, std::ptrdiff_t stride, const std::ptrdiff_t* index,
                           std::ptrdiff_t n, std::ptrdiff_t width, double* out) {
  constexpr double least = 1e-280, undecided = std::numeric_limits<double>::quiet_NaN();
  const double xx = SquaredLength(x, width);
  const bool plain = xx > least && xx < 1 / least;
  ForRows(keys, stride, index, n, width, [&](std::ptrdiff_t m, const T* z) HWY_ATTR {
    const double zz = SquaredLength(z, width);
    const bool both = plain && zz > least && zz < 1 / least;
    out[m] = both ? SquaredChord(x, std::sqrt(xx / zz), z, width) / (2 * xx) : undecided;
  });
}

void SquaredDistancesFloat(const float* x, const float* keys, std::ptrdiff_t stride,
                           const std::ptrdiff_t* index, std::ptrdiff_t n, std::ptrdiff_t width, double* out) {
  SquaredDistances(x, keys, stride, index, n, width, out);
}
void SquaredDistancesDouble(const double* x, const double* keys, std::ptrdiff_t stride,
                            const std::ptrdiff_t* index, std::ptrdiff_t n, std::ptrdiff_t width,
                            double* out) {
  SquaredDistances(x, keys, stride, index, n, width, out);
}

void HalfChordsFloat(const float* x, const float* keys, std::ptrdiff_t stride, const std::ptrdiff_t* index,
                     std::ptrdiff_t n, std::ptrdiff_t width, double* out) {
  HalfChords(x, keys, stride, index, n, width, out);
}
void HalfChordsDouble(const double* x, const double* keys, std::ptrdiff_t stride, const std::ptrdiff_t* index,
                      std::ptrdiff_t n, std::ptrdiff_t width, double* out) {
  HalfChords(x, keys, stride, index, n, width, out);
}

}  // namespace
}  // namespace likewise::engine::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace likewise::engine::simd {
HWY_EXPORT(SquaredDistancesFloat);
HWY_EXPORT(SquaredDistancesDouble);
HWY_EXPORT(HalfChordsFloat);
HWY_EXPORT(HalfChordsDouble);

template <>
void squared_distances(const float* x, const float* keys, std::ptrdiff_t stride, const std::ptrdiff_t* index,
                       std::ptrdiff_t n, std::ptrdiff_t width, double* out) {
  HWY_DYNAMIC_DISPATCH(SquaredDistancesFloat)(x, keys, stride, index, n, width, out);
}
template <>
void squared_distances(const double* x, const double* keys, std::ptrdiff_t stride,
                       const std::ptrdiff_t* index, std::ptrdiff_t n, std::ptrdiff_t width, double* out) {
  HWY_DYNAMIC_DISPATCH(SquaredDistancesDouble)(x, keys, stride, index, n, width, out);
}
template <>
void half_chords(const float* x, const float* keys, std::ptrdiff_t stride, const std::ptrdiff_t* index,
                 std::ptrdiff_t n, std::ptrdiff_t width, double* out) {
  HWY_DYNAMIC_DISPATCH(HalfChordsFloat)(x, keys, stride, index, n, width, out);
}
template <>
void half_chords(const double* x, const double* keys, std::ptrdiff_t stride, const std::ptrdiff_t* index,
                 std::ptrdiff_t n, std::ptrdiff_t width, double* out) {
  HWY_DYNAMIC_DISPATCH(HalfChordsDouble)(x, keys, stride, index, n, width, out);
}

}  // namespace likewise::engine::simd
#endif
