#include "engine/simd/fma_peak.hpp"

#include "engine/simd/targets.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/simd/fma_peak.cpp"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace likewise::engine::simd::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class T> double multiply_add(long steps, T* sink) {
  const hn::ScalableTag<T> tag;
  const auto a = hn::Set(tag, T(0.999)), b = hn::Set(tag, T(0.001));
  auto s0 = b, s1 = b, s2 = b, s3 = b, s4 = b, s5 = b, s6 = b, s7 = b;
  auto t0 = a, t1 = a, t2 = a, t3 = a, t4 = a, t5 = a, t6 = a, t7 = a;
  for (long i = 0; i < steps; ++i) {
    s0 = hn::MulAdd(s0, a, b), s1 = hn::MulAdd(s1, a, b), s2 = hn::MulAdd(s2, a, b),
    s3 = hn::MulAdd(s3, a, b);
    s4 = hn::MulAdd(s4, a, b), s5 = hn::MulAdd(s5, a, b), s6 = hn::MulAdd(s6, a, b),
    s7 = hn::MulAdd(s7, a, b);
    t0 = hn::MulAdd(t0, a, b), t1 = hn::MulAdd(t1, a, b), t2 = hn::MulAdd(t2, a, b),
    t3 = hn::MulAdd(t3, a, b);
    t4 = hn::MulAdd(t4, a, b), t5 = hn::MulAdd(t5, a, b), t6 = hn::MulAdd(t6, a, b),
    t7 = hn::MulAdd(t7, a, b);
  }
  const auto s =
      hn::Add(hn::Add(hn::Add(s0, s1), hn::Add(s2, s3)), hn::Add(hn::Add(s4, s5), hn::Add(s6, s7)));
  const auto t =
      hn::Add(hn::Add(hn::Add(t0, t1), hn::Add(t2, t3)), hn::Add(hn::Add(t4, t5), hn::Add(t6, t7)));
  *sink = hn::GetLane(hn::Add(s, t));
  return 2.0 * 16 * static_cast<double>(steps) * static_cast<double>(hn::Lanes(tag));
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
