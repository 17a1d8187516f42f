#include "engine/simd/weigh_tile.hpp"

#include "engine/simd/targets.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/simd/weigh_tile.cpp"
#include "hwy/foreach_target.h"

#include <utility>

#include "engine/simd/math-inl.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace likewise::engine::simd::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

template <class C>
double Weigh(std::ptrdiff_t n, std::ptrdiff_t m, const C* HWY_RESTRICT row_shift,
             const C* HWY_RESTRICT column_shift, C* HWY_RESTRICT scores, C* HWY_RESTRICT dots,
             C* HWY_RESTRICT row_sums, C* HWY_RESTRICT column_sums) {
  const hn::ScalableTag<C> d;
  const hn::CappedTag<C, 1> one;
  const std::ptrdiff_t lanes = static_cast<std::ptrdiff_t>(hn::Lanes(d));
  constexpr C kLargest = sizeof(C) == 4 ? C(126) : C(1022);
  double total = 0;
  const auto weigh = [&](auto tag, C shift, std::ptrdiff_t j, C* score, C* dot) HWY_ATTR {
    const auto s = hn::LoadU(tag, score);
    const auto x = hn::Add(s, hn::Add(hn::Set(tag, shift), hn::LoadU(tag, column_shift + j)));
    const auto w = Exp2(tag, hn::Min(x, hn::Set(tag, kLargest)));
    const auto g = hn::Mul(w, hn::LoadU(tag, dot));
    hn::StoreU(w, tag, score);
    hn::StoreU(g, tag, dot);
    hn::StoreU(hn::Add(hn::LoadU(tag, column_sums + j), g), tag, column_sums + j);
    return std::pair{g, hn::Mul(s, g)};
  };
  for (std::ptrdiff_t i = 0; i < n; ++i, scores += m, dots += m) {
    auto row = hn::Zero(d), by_score = hn::Zero(d);
    std::ptrdiff_t j = 0;
    for (; j + lanes <= m; j += lanes) {
      const auto sums = weigh(d, row_shift[i], j, scores + j, dots + j);
      row = hn::Add(row, sums.first);
      by_score = hn::Add(by_score, sums.second);
    }
    row_sums[i] = hn::GetLane(hn::SumOfLanes(d, row));
    total += static_cast<double>(hn::GetLane(hn::SumOfLanes(d, by_score)));
    for (; j < m; ++j) {
      const auto sums = weigh(one, row_shift[i], j, scores + j, dots + j);
      row_sums[i] += hn::GetLane(sums.first);
      total += static_cast<double>(hn::GetLane(sums.second));
    }
  }
  return total;
}

double WeighFloat(std::ptrdiff_t n, std::ptrdiff_t m, const float* row_shift, const float* column_shift,
                  float* scores, float* dots, float* row_sums, float* column_sums) {
  return Weigh(n, m, row_shift, column_shift, scores, dots, row_sums, column_sums);
}
double WeighDouble(std::ptrdiff_t n, std::ptrdiff_t m, const double* row_shift, const double* column_shift,
                   double* scores, double* dots, double* row_sums, double* column_sums) {
  return Weigh(n, m, row_shift, column_shift, scores, dots, row_sums, column_sums);
}

}  // namespace
}  // namespace likewise::engine::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace likewise::engine::simd {
HWY_EXPORT(WeighFloat);
HWY_EXPORT(WeighDouble);

template <>
double weigh_tile(std::ptrdiff_t n, std::ptrdiff_t m, const float* row_shift, const float* column_shift,
                  float* scores, float* dots, float* row_sums, float* column_sums) {
  return HWY_DYNAMIC_DISPATCH(WeighFloat)(n, m, row_shift, column_shift, scores, dots, row_sums, column_sums);
}
template <>
double weigh_tile(std::ptrdiff_t n, std::ptrdiff_t m, const double* row_shift, const double* column_shift,
                  double* scores, double* dots, double* row_sums, double* column_sums) {
  return HWY_DYNAMIC_DISPATCH(WeighDouble)(n, m, row_shift, column_shift, scores, dots, row_sums,
                                           column_sums);
}

}  // namespace likewise::engine::simd
#endif
