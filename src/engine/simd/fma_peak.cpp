#include "engine/simd/fma_peak.hpp"

#include "engine/simd/targets.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/simd/fma_peak.cpp"
#include "hwy/foreach_target.h"

#include "engine/simd/panel-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace likewise::engine::simd::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class T> double multiply_add(long steps, T* sink) {
  constexpr std::size_t n_sums = 16;
  const Tag<T> tag;
  const auto a = hn::Set(tag, T(0.999)), b = hn::Set(tag, T(0.001));
  Vec<T> sums[n_sums];
  for (std::size_t k = 0; k < n_sums; ++k)
    sums[k] = hn::Set(tag, static_cast<T>(k));  // equal ones the compiler would make one
  for (long i = 0; i < steps; ++i) {
    LIKEWISE_UNROLL
    for (std::size_t k = 0; k < n_sums; ++k) sums[k] = hn::MulAdd(sums[k], a, b);
  }
  for (std::size_t k = 1; k < n_sums; ++k) sums[0] = hn::Add(sums[0], sums[k]);
  *sink = hn::GetLane(sums[0]);
  return 2.0 * n_sums * static_cast<double>(steps) * static_cast<double>(hn::Lanes(tag));
}
double multiply_add_float(long steps, float* sink) { return multiply_add(steps, sink); }
double multiply_add_double(long steps, double* sink) { return multiply_add(steps, sink); }

}  // namespace likewise::engine::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace likewise::engine::simd {
HWY_EXPORT(multiply_add_float);
HWY_EXPORT(multiply_add_double);

double multiply_adds(long steps, float* sink) {
  return HWY_DYNAMIC_DISPATCH(multiply_add_float)(steps, sink);
}
double multiply_adds(long steps, double* sink) {
  return HWY_DYNAMIC_DISPATCH(multiply_add_double)(steps, sink);
}

}  // namespace likewise::engine::simd
#endif
