// 2^x and log2 x in registers, for the target being compiled.
#if defined(LIKEWISE_ENGINE_SIMD_MATH_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LIKEWISE_ENGINE_SIMD_MATH_INL_H_
#undef LIKEWISE_ENGINE_SIMD_MATH_INL_H_
#else
#define LIKEWISE_ENGINE_SIMD_MATH_INL_H_
#endif

#include <cstddef>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace likewise::engine::simd::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

template <class C, class D, class V, std::size_t N> HWY_INLINE V Horner(D d, V x, const C (&c)[N]) {
  V p = hn::Set(d, c[N - 1]);
  for (std::size_t k = N - 1; k-- > 0;) p = hn::MulAdd(p, x, hn::Set(d, c[k]));
  return p;
}

// Minimax polynomials of 2^f on [-1/2, 1/2], relative error 7.5e-8 and 3.1e-18; on [0, 1] for float, 7.5e-8.
constexpr float kExp2Float[] = {1.00000007165471414f,  0.693146967065035214f,   0.240221197237107196f,
                                0.055507132718556442f, 0.00967554134312132739f, 0.00132764726319508761f};
constexpr float kExp2FloatFloor[] = {0.999999925063759935f,   0.693153073207096229f,
                                     0.240153616982723578f,   0.0558263182316833768f,
                                     0.00898933987659873577f, 0.00187757676565801496f};
constexpr double kExp2Double[] = {0.999999999999999997,    0.69314718055994533,      0.240226506959101562,
                                  0.0555041086648199216,   0.00961812910758833524,   0.00133335581467899217,
                                  0.000154035304625144321, 0.0000152527334899885256, 1.32154330896763992e-6,
                                  1.01781980216719308e-7,  7.0741056135081428e-9,    4.43528270695727715e-10};

/// 2^x for x below 127 (float) or 1023 (double); exactly 0 where the result would be no normal number, -inf included.
template <class D, class V = hn::VFromD<D>> HWY_INLINE V Exp2(D d, V x) {
  using C = hn::TFromD<D>;
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3
  // vreduceps takes the whole part off and vscalefps puts it into the exponent: 7 operations. Flush-to-zero is on.
  if constexpr (hn::MaxLanes(D()) * sizeof(C) == 64) {
    if constexpr (sizeof(C) == 4) {
      const V f{_mm512_reduce_ps(x.raw, 0x01)};  // x - floor(x)
      return V{_mm512_scalef_ps(Horner<C>(d, f, kExp2FloatFloor).raw, x.raw)};
    } else {
      const V f{_mm512_reduce_pd(x.raw, 0x00)};  // x - round(x)
      return V{_mm512_scalef_pd(Horner<C>(d, f, kExp2Double).raw, hn::Sub(x, f).raw)};
    }
  }
#endif
  // Adding 1.5 * 2^mantissa rounds x to a whole number and leaves it in the low bits; shifted, it adds to the exponent.
  constexpr int kMantissa = sizeof(C) == 4 ? 23 : 52;
  const hn::RebindToSigned<D> di;
  const V magic = hn::Set(d, static_cast<C>(3LL << (kMantissa - 1)));
  const V shifted = hn::Add(x, magic);
  const V f = hn::Sub(x, hn::Sub(shifted, magic));
  V p;
  if constexpr (sizeof(C) == 4)
    p = Horner<C>(d, f, kExp2Float);
  else
    p = Horner<C>(d, f, kExp2Double);
  const auto exponent = hn::ShiftLeft<kMantissa>(hn::BitCast(di, shifted));
  const V result = hn::BitCast(d, hn::Add(hn::BitCast(di, p), exponent));
  return hn::IfThenElseZero(hn::Ge(x, hn::Set(d, C(sizeof(C) == 4 ? -125 : -1021))), result);
}

// Minimax polynomials of log2(1 + f) / f on [sqrt(1/2) - 1, sqrt(2) - 1], relative error 2.6e-8, and of log2(m) / t as a
// function of t^2, t = (m - 1) / (m + 1), relative error 1.1e-18.
constexpr float kLog2Float[] = {1.44269500365223835F,   -0.721347346798598294F, 0.480910643013219517F,
                                -0.360703683463383371F, 0.287916246530142712F,  -0.238944806058898409F,
                                0.215715604871993733F,  -0.20726984693454433F,  0.125837144642008657F};
constexpr double kLog2Double[] = {2.8853900817779268114,  0.9617966939259898203,  0.57707801634547043975,
                                  0.41219858585105467362, 0.32059853392797160652, 0.26233440164719985681,
                                  0.22091186975194860007, 0.21367074746003708749};

/// log2 x, relative error 1e-7 (float) and 4e-16 (double), denormals included; -inf for x <= 0, inf for inf.
template <class D, class V = hn::VFromD<D>> HWY_INLINE V Log2(D d, V x) {
  using C = hn::TFromD<D>;
  const hn::RebindToUnsigned<D> du;
  using U = hn::TFromD<decltype(du)>;
  constexpr int kMantissa = sizeof(C) == 4 ? 23 : 52;
  constexpr U kBias = sizeof(C) == 4 ? 127 : 1023, kOne = U(1) << kMantissa;
  constexpr U kRootHalf = sizeof(C) == 4 ? U(0x3f3504f3) : U(0x3fe6a09e667f3bcd);
  const C lift = static_cast<C>(2 * kOne);  // brings denormals into the normal range
  const auto tiny = hn::Lt(x, hn::Set(d, C(sizeof(C) == 4 ? 1.17549435e-38 : 2.2250738585072014e-308)));
  const V normal = hn::IfThenElse(tiny, hn::Mul(x, hn::Set(d, lift)), x);
  // x = 2^e m with m from sqrt(1/2) to sqrt(2); e, biased, is read as a number by placing it into the mantissa of 2^k.
  const auto bits = hn::Add(hn::BitCast(du, normal), hn::Set(du, kBias * kOne - kRootHalf));
  const V magic = hn::Set(d, static_cast<C>(kOne));
  const auto biased = hn::Or(hn::ShiftRight<kMantissa>(bits), hn::BitCast(du, magic));
  const V excess = hn::IfThenElse(tiny, hn::Set(d, static_cast<C>(kOne + kBias) + C(kMantissa + 1)),
                                  hn::Set(d, static_cast<C>(kOne + kBias)));
  const V e = hn::Sub(hn::BitCast(d, biased), excess);
  const V m = hn::BitCast(d, hn::Add(hn::And(bits, hn::Set(du, kOne - 1)), hn::Set(du, kRootHalf)));
  const V one = hn::Set(d, C(1)), f = hn::Sub(m, one);
  V log2;
  if constexpr (sizeof(C) == 4) {
    log2 = hn::MulAdd(f, Horner<C>(d, f, kLog2Float), e);
  } else {
    const V t = hn::Div(f, hn::Add(m, one));
    log2 = hn::MulAdd(t, Horner<C>(d, hn::Mul(t, t), kLog2Double), e);
  }
  const V infinity = hn::Inf(d);
  log2 = hn::IfThenElse(hn::Eq(x, infinity), infinity, log2);
  return hn::IfThenElse(hn::Gt(x, hn::Zero(d)), log2, hn::Neg(infinity));
}

}  // namespace likewise::engine::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
