// A kernel's expression (kernel/formula.hpp) on vectors, for the target being compiled.
#if defined(LIKEWISE_ENGINE_SIMD_FORMULA_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LIKEWISE_ENGINE_SIMD_FORMULA_INL_H_
#undef LIKEWISE_ENGINE_SIMD_FORMULA_INL_H_
#else
#define LIKEWISE_ENGINE_SIMD_FORMULA_INL_H_
#endif

#include <limits>

#include <likewise/kernel/formula.hpp>

#include "engine/simd/math-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace likewise::engine::simd::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;
namespace ex = likewise::expressions;

/// 2^x where it is a number, infinity above.
template <class D, class V = hn::VFromD<D>> HWY_INLINE V Exp2OrInfinity(D d, V x) {
  const V top = hn::Set(d, hn::TFromD<D>(sizeof(hn::TFromD<D>) == 4 ? 126 : 1022));
  return hn::IfThenElse(hn::Gt(x, top), hn::Inf(d), Exp2(d, hn::Min(x, top)));
}

/// The value of an expression in bits at a vector of inputs.
template <class D> struct OnVectors {
  using C = hn::TFromD<D>;
  using V = hn::VFromD<D>;
  D d;
  V u;

  HWY_INLINE V operator()(ex::Input) const { return u; }
  HWY_INLINE V operator()(ex::Number n) const { return hn::Set(d, static_cast<C>(n.value)); }
  HWY_INLINE V operator()(ex::Step e) const {
    return hn::IfThenElse(hn::Le(u, hn::Set(d, ex::limit<C>(e))), hn::Zero(d), hn::Neg(hn::Inf(d)));
  }
  template <class A, class B> HWY_INLINE V operator()(const ex::Sum<A, B>& e) const {
    return hn::Add((*this)(e.a), (*this)(e.b));
  }
  template <class A, class B> HWY_INLINE V operator()(const ex::Product<A, B>& e) const {
    return hn::Mul((*this)(e.a), (*this)(e.b));
  }
  template <class A> HWY_INLINE V operator()(const ex::Log2<A>& e) const { return Log2(d, (*this)(e.of)); }
  template <class A> HWY_INLINE V operator()(const ex::Positive<A>& e) const {
    return (*this)(e.of);  // Log2 of what is not positive is -infinity
  }
  template <class A> HWY_INLINE V operator()(const ex::Power<A>& e) const {
    return Exp2OrInfinity(d, hn::Mul(hn::Set(d, static_cast<C>(e.exponent)), Log2(d, (*this)(e.of))));
  }
  template <class A> HWY_INLINE V operator()(const ex::Finite<A>& e) const {
    return hn::Min((*this)(e.of), hn::Set(d, std::numeric_limits<C>::max()));
  }
  template <class A, class B> HWY_INLINE V operator()(const ex::WherePositive<A, B>& e) const {
    return hn::IfThenElse(hn::Gt(u, hn::Zero(d)), (*this)(e.a), (*this)(e.b));
  }
};

}  // namespace likewise::engine::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
