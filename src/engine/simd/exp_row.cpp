#include "engine/simd/exp_row.hpp"

#include "engine/simd/targets.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/simd/exp_row.cpp"
#include "hwy/foreach_target.h"

#include <numbers>

#include "engine/simd/math-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace likewise::engine::simd::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

// log2(e) = kLog2e + kLog2eRest to twice a double's digits, so that far exponents lose none.
constexpr double kLog2e = std::numbers::log2e, kLog2eRest = 2.0355273740931033e-17;

/// Infinite from 2^1023 on: there a rounding of x is larger than all that would correct it.
template <class D, class V = hn::VFromD<D>> HWY_INLINE V Exp(D d, V x) {
  const V whole = hn::Mul(x, hn::Set(d, kLog2e));
  const V rest = hn::MulAdd(x, hn::Set(d, kLog2eRest), hn::MulSub(x, hn::Set(d, kLog2e), whole));
  const V power = Exp2(d, hn::Min(whole, hn::Set(d, 1023.0)));
  const V result = hn::MulAdd(hn::Mul(power, rest), hn::Set(d, std::numbers::ln2), power);
  const V below = hn::IfThenElse(hn::Gt(whole, hn::Set(d, 1023.0)), hn::Inf(d), result);
  return hn::IfThenElseZero(hn::Ge(whole, hn::Set(d, -1021.0)), below);
}

/// weigh(tag, j) gives and stores the weights from j on; their sum.
template <class Weigh> HWY_INLINE double SumOfWeights(std::ptrdiff_t n, const Weigh& weigh) {
  const hn::ScalableTag<double> d;
  const hn::CappedTag<double, 1> one;
  const std::ptrdiff_t lanes = static_cast<std::ptrdiff_t>(hn::Lanes(d));
  auto even = hn::Zero(d), odd = hn::Zero(d);  // an addition waits for the one before: two chains
  std::ptrdiff_t j = 0;
  for (; j + 2 * lanes <= n; j += 2 * lanes) {
    even = hn::Add(even, weigh(d, j));
    odd = hn::Add(odd, weigh(d, j + lanes));
  }
  for (; j + lanes <= n; j += lanes) even = hn::Add(even, weigh(d, j));
  double sum = hn::GetLane(hn::SumOfLanes(d, hn::Add(even, odd)));
  for (; j < n; ++j) sum += hn::GetLane(weigh(one, j));
  return sum;
}

double ExpRow(double* HWY_RESTRICT x, std::ptrdiff_t n, double shift) {
  return SumOfWeights(n, [&](auto d, std::ptrdiff_t j) HWY_ATTR {
    const auto weight = Exp(d, hn::Sub(hn::LoadU(d, x + j), hn::Set(d, shift)));
    hn::StoreU(weight, d, x + j);
    return weight;
  });
}

double WeighRow(const double* HWY_RESTRICT x, const double* HWY_RESTRICT count, std::ptrdiff_t n, double rate,
                double* HWY_RESTRICT power, double* HWY_RESTRICT weight) {
  return SumOfWeights(n, [&](auto d, std::ptrdiff_t j) HWY_ATTR {
    const auto found = Exp(d, hn::Mul(hn::Set(d, -rate), hn::LoadU(d, x + j)));
    hn::StoreU(found, d, power + j);
    const auto weighed = hn::Mul(hn::LoadU(d, count + j), found);
    hn::StoreU(weighed, d, weight + j);
    return weighed;
  });
}

double SquareRow(double* HWY_RESTRICT power, const double* HWY_RESTRICT count, std::ptrdiff_t n,
                 double* HWY_RESTRICT weight) {
  return SumOfWeights(n, [&](auto d, std::ptrdiff_t j) HWY_ATTR {
    const auto root = hn::LoadU(d, power + j);
    const auto square = hn::Mul(root, root);
    hn::StoreU(square, d, power + j);
    const auto weighed = hn::Mul(hn::LoadU(d, count + j), square);
    hn::StoreU(weighed, d, weight + j);
    return weighed;
  });
}

double DotRows(const double* HWY_RESTRICT a, const double* HWY_RESTRICT b, std::ptrdiff_t n) {
  return SumOfWeights(n, [&](auto d, std::ptrdiff_t j)
                             HWY_ATTR { return hn::Mul(hn::LoadU(d, a + j), hn::LoadU(d, b + j)); });
}

}  // namespace
}  // namespace likewise::engine::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace likewise::engine::simd {
HWY_EXPORT(ExpRow);
HWY_EXPORT(WeighRow);
HWY_EXPORT(SquareRow);
HWY_EXPORT(DotRows);

double exp_row(double* x, std::ptrdiff_t n, double shift) {
  return HWY_DYNAMIC_DISPATCH(ExpRow)(x, n, shift);
}
double weigh_row(const double* x, const double* count, std::ptrdiff_t n, double rate, double* power,
                 double* weight) {
  return HWY_DYNAMIC_DISPATCH(WeighRow)(x, count, n, rate, power, weight);
}
double square_row(double* power, const double* count, std::ptrdiff_t n, double* weight) {
  return HWY_DYNAMIC_DISPATCH(SquareRow)(power, count, n, weight);
}
double dot_rows(const double* a, const double* b, std::ptrdiff_t n) {
  return HWY_DYNAMIC_DISPATCH(DotRows)(a, b, n);
}

}  // namespace likewise::engine::simd
#endif
