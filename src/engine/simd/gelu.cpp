#include "engine/simd/gelu.hpp"

#include "engine/simd/targets.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/simd/gelu.cpp"
#include "hwy/foreach_target.h"

#include "engine/simd/math-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace likewise::engine::simd::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

// (1 - Phi(x)) / phi(x) for x >= 0, Mills' ratio, is t Q(t) with t = 1 / (1 + 0.35 x). Q is the polynomial of least greatest
// relative error, 1.3e-8. std::erf of every number would take as long as a layer's products.
constexpr float kMills[] = {0.350000006f, 0.349998479f,   0.307197358f, 0.220017516f,
                            0.121512736f, -0.0718380376f, 0.175855382f, -0.568345997f,
                            0.593017947f, -0.272679221f,  0.0485779521f};
constexpr float kInverseRoot2Pi = 0.39894228f, kHalfLog2e = 0.72134752f;
constexpr float kFarthest = 13.26f;  // where the density is 0 in float32

template <class D, class V = hn::VFromD<D>> HWY_INLINE void GeluVector(D d, V& x, V& slope) {
  const V one = hn::Set(d, 1.0f), near = hn::Min(hn::Abs(x), hn::Set(d, kFarthest));
  const V exponent = hn::Mul(hn::Mul(near, near), hn::Set(d, -kHalfLog2e));
  const V density = hn::Mul(hn::Set(d, kInverseRoot2Pi), Exp2(d, exponent));
  const V t = hn::Div(one, hn::MulAdd(near, hn::Set(d, 0.35f), one));
  // Phi(-|x|), without the cancellation of 1 - Phi(|x|).
  const V tail = hn::Mul(density, hn::Mul(t, Horner<float>(d, t, kMills)));
  const V below = hn::IfThenElse(hn::Lt(x, hn::Zero(d)), tail, hn::Sub(one, tail));
  slope = hn::MulAdd(x, density, below);
  x = hn::Mul(x, below);
}

template <class D> HWY_INLINE void GeluAt(D d, float* x, float* slope) {
  auto value = hn::LoadU(d, x), by_value = hn::Zero(d);
  GeluVector(d, value, by_value);
  hn::StoreU(value, d, x);
  hn::StoreU(by_value, d, slope);
}

void Gelu(float* x, float* slope, std::ptrdiff_t n) {
  const hn::ScalableTag<float> d;
  const hn::CappedTag<float, 1> one;
  const std::ptrdiff_t lanes = static_cast<std::ptrdiff_t>(hn::Lanes(d));
  std::ptrdiff_t i = 0;
  for (; i + lanes <= n; i += lanes) GeluAt(d, x + i, slope + i);
  for (; i < n; ++i) GeluAt(one, x + i, slope + i);
}

}  // namespace
}  // namespace likewise::engine::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace likewise::engine::simd {
HWY_EXPORT(Gelu);

void gelu(float* x, float* slope, std::ptrdiff_t n) { HWY_DYNAMIC_DISPATCH(Gelu)(x, slope, n); }

}  // namespace likewise::engine::simd
#endif
