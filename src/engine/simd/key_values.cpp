#include "engine/simd/key_values.hpp"

#include "engine/simd/targets.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/simd/key_values.cpp"
#include "hwy/foreach_target.h"

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace likewise::engine::simd::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

/// Widths of at least a vector. The last vector of a row overlaps the one before: there the query holds zeros.
template <class D, class C = hn::TFromD<D>>
HWY_INLINE void ByVectors(D d, const C* HWY_RESTRICT query, C query_bias, const C* HWY_RESTRICT keys,
                          std::ptrdiff_t width, const C* HWY_RESTRICT key_bias, std::ptrdiff_t n,
                          C* HWY_RESTRICT values) {
  const std::ptrdiff_t lanes = static_cast<std::ptrdiff_t>(hn::Lanes(d)), whole = width / lanes * lanes,
                       last = width - lanes;
  HWY_ALIGN C tail[hn::MaxLanes(D())] = {};
  for (std::ptrdiff_t k = whole; k < width; ++k) tail[k - last] = query[k];
  const auto q_tail = hn::Load(d, tail);
  const auto dot = [&](const C* key) HWY_ATTR {
    auto sum = hn::Mul(q_tail, hn::LoadU(d, key + last));
    for (std::ptrdiff_t k = 0; k < whole; k += lanes)
      sum = hn::MulAdd(hn::LoadU(d, query + k), hn::LoadU(d, key + k), sum);
    return sum;
  };
  std::ptrdiff_t j = 0;
  for (; j + 4 <= n; j += 4) {  // four at a time: an addition waits for the one before
    const C* key = keys + j * width;
    auto a = hn::Mul(q_tail, hn::LoadU(d, key + last)), b = hn::Mul(q_tail, hn::LoadU(d, key + width + last)),
         c = hn::Mul(q_tail, hn::LoadU(d, key + 2 * width + last)),
         e = hn::Mul(q_tail, hn::LoadU(d, key + 3 * width + last));
    for (std::ptrdiff_t k = 0; k < whole; k += lanes) {
      const auto q = hn::LoadU(d, query + k);
      a = hn::MulAdd(q, hn::LoadU(d, key + k), a);
      b = hn::MulAdd(q, hn::LoadU(d, key + width + k), b);
      c = hn::MulAdd(q, hn::LoadU(d, key + 2 * width + k), c);
      e = hn::MulAdd(q, hn::LoadU(d, key + 3 * width + k), e);
    }
    values[j] = query_bias + (key_bias[j] - hn::GetLane(hn::SumOfLanes(d, a)));
    values[j + 1] = query_bias + (key_bias[j + 1] - hn::GetLane(hn::SumOfLanes(d, b)));
    values[j + 2] = query_bias + (key_bias[j + 2] - hn::GetLane(hn::SumOfLanes(d, c)));
    values[j + 3] = query_bias + (key_bias[j + 3] - hn::GetLane(hn::SumOfLanes(d, e)));
  }
  for (; j < n; ++j)
    values[j] = query_bias + (key_bias[j] - hn::GetLane(hn::SumOfLanes(d, dot(keys + j * width))));
}

template <class C>
HWY_INLINE void KeyValues(const C* HWY_RESTRICT query, C query_bias, const C* HWY_RESTRICT keys,
                          std::ptrdiff_t width, const C* HWY_RESTRICT key_bias, std::ptrdiff_t n,
                          C* HWY_RESTRICT values) {
  const hn::ScalableTag<C> wide;
  const hn::CappedTag<C, 4> narrow;
  if (width >= static_cast<std::ptrdiff_t>(hn::Lanes(wide)))
    return ByVectors(wide, query, query_bias, keys, width, key_bias, n, values);
  if (width >= static_cast<std::ptrdiff_t>(hn::Lanes(narrow)))
    return ByVectors(narrow, query, query_bias, keys, width, key_bias, n, values);
  for (std::ptrdiff_t j = 0; j < n; ++j) {
    C sum = 0;
    for (std::ptrdiff_t k = 0; k < width; ++k) sum += query[k] * keys[j * width + k];
    values[j] = query_bias + (key_bias[j] - sum);
  }
}

void KeyValuesFloat(const float* query, float query_bias, const float* keys, std::ptrdiff_t width,
                    const float* key_bias, std::ptrdiff_t n, float* values) {
  KeyValues(query, query_bias, keys, width, key_bias, n, values);
}
void KeyValuesDouble(const double* query, double query_bias, const double* keys, std::ptrdiff_t width,
                     const double* key_bias, std::ptrdiff_t n, double* values) {
  KeyValues(query, query_bias, keys, width, key_bias, n, values);
}

}  // namespace
}  // namespace likewise::engine::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace likewise::engine::simd {
HWY_EXPORT(KeyValuesFloat);
HWY_EXPORT(KeyValuesDouble);

template <>
void key_values(const float* query, float query_bias, const float* keys, std::ptrdiff_t width,
                const float* key_bias, std::ptrdiff_t n, float* values) {
  HWY_DYNAMIC_DISPATCH(KeyValuesFloat)(query, query_bias, keys, width, key_bias, n, values);
}
template <>
void key_values(const double* query, double query_bias, const double* keys, std::ptrdiff_t width,
                const double* key_bias, std::ptrdiff_t n, double* values) {
  HWY_DYNAMIC_DISPATCH(KeyValuesDouble)(query, query_bias, keys, width, key_bias, n, values);
}

}  // namespace likewise::engine::simd
#endif
