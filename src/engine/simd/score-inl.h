// Tiles of scores and what kernels make of them, for the target being compiled: a tile is (keys, PanelLanes), in memory.
#if defined(LIKEWISE_ENGINE_SIMD_SCORE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LIKEWISE_ENGINE_SIMD_SCORE_INL_H_
#undef LIKEWISE_ENGINE_SIMD_SCORE_INL_H_
#else
#define LIKEWISE_ENGINE_SIMD_SCORE_INL_H_
#endif

#include <cstddef>
#include <limits>
#include <variant>

#include "engine/simd/formula-inl.h"
#include "engine/simd/panel-inl.h"
#include "engine/simd/panel_sum.hpp"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace likewise::engine::simd::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

/// A group of kKeys keys, rows `stride` apart, and a panel of queries.
template <class C> struct Group {
  const C* points;  // (width, PanelLanes)
  std::size_t width;
  const C* rows;
  std::size_t stride;
};

/// acc[b][v] = step(acc[b][v], x_k - z_k) over all features k, from 0 on.
template <class C, class Step>
HWY_INLINE void FoldDifferences(const Group<C>& g, const Step& step, Vec<C> (&acc)[kKeys][kVectors]) {
  const Tag<C> d;
  const std::size_t lanes = hn::Lanes(d);
  LIKEWISE_UNROLL
  for (std::size_t b = 0; b < kKeys; ++b) {
    LIKEWISE_UNROLL
    for (std::size_t v = 0; v < kVectors; ++v) acc[b][v] = hn::Zero(d);
  }
  const C* panel = g.points;
  for (std::size_t k = 0; k < g.width; ++k, panel += kVectors * lanes) {
    Vec<C> q[kVectors];
    LIKEWISE_UNROLL
    for (std::size_t v = 0; v < kVectors; ++v) q[v] = hn::Load(d, panel + v * lanes);
    LIKEWISE_UNROLL
    for (std::size_t b = 0; b < kKeys; ++b) {
      const Vec<C> z = hn::Set(d, g.rows[b * g.stride + k]);
      LIKEWISE_UNROLL
      for (std::size_t v = 0; v < kVectors; ++v) acc[b][v] = step(acc[b][v], hn::Sub(q[v], z));
    }
  }
}

template <class C> HWY_INLINE void Squares(const Group<C>& g, C factor, Vec<C> (&acc)[kKeys][kVectors]) {
  FoldDifferences<C>(
      g, [](Vec<C> sum, Vec<C> x) { return hn::MulAdd(x, x, sum); }, acc);
  const Vec<C> f = hn::Set(Tag<C>(), factor);
  for (std::size_t b = 0; b < kKeys; ++b)
    for (std::size_t v = 0; v < kVectors; ++v) acc[b][v] = hn::Mul(acc[b][v], f);
}
template <class C> HWY_INLINE void Sums(const Group<C>& g, Vec<C> (&acc)[kKeys][kVectors]) {
  FoldDifferences<C>(
      g, [](Vec<C> sum, Vec<C> x) { return hn::Add(sum, hn::Abs(x)); }, acc);
}
template <class C> HWY_INLINE void Largest(const Group<C>& g, Vec<C> (&acc)[kKeys][kVectors]) {
  FoldDifferences<C>(
      g, [](Vec<C> top, Vec<C> x) { return hn::Max(top, hn::Abs(x)); }, acc);
}

/// (sum_k |x_k - z_k|^p)^(1/p); the largest difference is taken out first, so that no power overflows or vanishes.
template <class C> HWY_INLINE void Powers(const Group<C>& g, C p, Vec<C> (&acc)[kKeys][kVectors]) {
  const Tag<C> d;
  const std::size_t lanes = hn::Lanes(d);
  Largest<C>(g, acc);
  HWY_ALIGN C top[kKeys * kVectors * hn::MaxLanes(Tag<C>())];
  for (std::size_t b = 0; b < kKeys; ++b)
    for (std::size_t v = 0; v < kVectors; ++v) hn::Store(acc[b][v], d, top + (b * kVectors + v) * lanes);
  const Vec<C> power = hn::Set(d, p), root = hn::Set(d, C(1) / p);
  const Vec<C> least = hn::Set(d, std::numeric_limits<C>::min());
  for (std::size_t b = 0; b < kKeys; ++b)
    for (std::size_t v = 0; v < kVectors; ++v) {
      C* at = top + (b * kVectors + v) * lanes;
      const Vec<C> largest = hn::Load(d, at), unit = hn::Max(largest, least);
      Vec<C> sum = hn::Zero(d);
      for (std::size_t k = 0; k < g.width; ++k) {
        const Vec<C> x = hn::Load(d, g.points + (k * kVectors + v) * lanes);
        const Vec<C> share = hn::Div(hn::Abs(hn::Sub(x, hn::Set(d, g.rows[b * g.stride + k]))), unit);
        sum = hn::Add(sum, Exp2(d, hn::Mul(power, Log2(d, share))));
      }
      const Vec<C> length = hn::Mul(largest, Exp2OrInfinity(d, hn::Mul(root, Log2(d, sum))));
      // The points are equal: 0, not 0 times what a sum of no powers gives.
      hn::Store(hn::IfThenElseZero(hn::Gt(largest, hn::Zero(d)), length), d, at);
    }
  for (std::size_t b = 0; b < kKeys; ++b)
    for (std::size_t v = 0; v < kVectors; ++v) acc[b][v] = hn::Load(d, top + (b * kVectors + v) * lanes);
}

/// a + b - <A, B> (the points are packed with a minus). Where some score is a small share of a + b, the differences
/// themselves are squared for those pairs.
template <class C>
HWY_INLINE void Lifted(const Group<C>& g, const ScoreTerms<C>& rule, const C* query_bias, const C* key_bias,
                       Vec<C> (&acc)[kKeys][kVectors]) {
  const Tag<C> d;
  const std::size_t lanes = hn::Lanes(d);
  for (std::size_t b = 0; b < kKeys; ++b)
    for (std::size_t v = 0; v < kVectors; ++v)
      acc[b][v] = hn::Add(hn::Load(d, query_bias + v * lanes), hn::Set(d, key_bias[b]));
  MultiplyAdd<kKeys, C>(g.points, g.width, g.rows, g.stride, 1, acc);
  if (!(rule.unsure > 0)) return;
  const Vec<C> unsure = hn::Set(d, rule.unsure);
  const auto limit = [&](std::size_t b, std::size_t v) {
    return hn::Mul(unsure, hn::Add(hn::Load(d, query_bias + v * lanes), hn::Set(d, key_bias[b])));
  };
  bool any = false;
  for (std::size_t b = 0; b < kKeys; ++b)
    for (std::size_t v = 0; v < kVectors; ++v) any |= !hn::AllFalse(d, hn::Le(acc[b][v], limit(b, v)));
  if (!any) return;
  // The panel holds -A; the differences are query_factor A - B.
  const Vec<C> turn = hn::Set(d, -rule.query_factor), factor = hn::Set(d, rule.factor);
  for (std::size_t b = 0; b < kKeys; ++b)
    for (std::size_t v = 0; v < kVectors; ++v) {
      const auto close = hn::Le(acc[b][v], limit(b, v));
      if (hn::AllFalse(d, close)) continue;
      Vec<C> sum = hn::Zero(d);
      for (std::size_t k = 0; k < g.width; ++k) {
        const Vec<C> x = hn::Mul(turn, hn::Load(d, g.points + (k * kVectors + v) * lanes));
        const Vec<C> difference = hn::Sub(x, hn::Set(d, g.rows[b * g.stride + k]));
        sum = hn::MulAdd(difference, difference, sum);
      }
      acc[b][v] = hn::IfThenElse(close, hn::Mul(sum, factor), acc[b][v]);
    }
}

/// One group's scores into its rows of the tile.
template <class C>
HWY_NOINLINE void ScoreGroup(const Group<C>& g, const ScoreTerms<C>& rule, const C* query_bias,
                             const C* key_bias, C* tile) {
  const Tag<C> d;
  Vec<C> acc[kKeys][kVectors];
  switch (rule.way) {
    case ScoreWay::squares:
      Squares<C>(g, rule.factor, acc);
      break;
    case ScoreWay::sums:
      Sums<C>(g, acc);
      break;
    case ScoreWay::largest:
      Largest<C>(g, acc);
      break;
    case ScoreWay::powers:
      Powers<C>(g, rule.p, acc);
      break;
    default:
      Lifted<C>(g, rule, query_bias, key_bias, acc);
  }
  const Vec<C> least = hn::Set(d, rule.least);
  for (std::size_t b = 0; b < kKeys; ++b)
    for (std::size_t v = 0; v < kVectors; ++v)
      hn::Store(hn::Max(acc[b][v], least), d, tile + (b * kVectors + v) * hn::Lanes(d));
}

/// u <- change(u, key, vector) for every vector of n_keys rows of a tile.
template <class C, class Change>
HWY_INLINE void ChangeTile(C* tile, std::size_t n_keys, const Change& change) {
  const Tag<C> d;
  const std::size_t lanes = hn::Lanes(d);
  for (std::size_t j = 0; j < n_keys; ++j) LIKEWISE_UNROLL
  for (std::size_t v = 0; v < kVectors; ++v, tile += lanes)
    hn::Store(change(hn::Load(d, tile), j, v), d, tile);
}

/// Scores become the kernel's input: roots or squares, times the points' factors (query_factor is padded to a panel).
template <class C>
HWY_NOINLINE void ToInput(const ScoreTerms<C>& rule, const C* query_factor, const C* key_factor,
                          std::size_t n_keys, C* tile) {
  const Tag<C> d;
  const std::size_t lanes = hn::Lanes(d);
  if (rule.profile.input == Profile::Input::root)
    ChangeTile<C>(tile, n_keys, [](Vec<C> u, std::size_t, std::size_t) { return hn::Sqrt(u); });
  if (rule.profile.input == Profile::Input::square)
    ChangeTile<C>(tile, n_keys, [](Vec<C> u, std::size_t, std::size_t) { return hn::Mul(u, u); });
  if (query_factor)
    ChangeTile<C>(tile, n_keys, [&](Vec<C> u, std::size_t j, std::size_t v) {
      return hn::Mul(hn::Mul(u, hn::Load(d, query_factor + v * lanes)), hn::Set(d, key_factor[j]));
    });
}

/// The kernel's input becomes log2 phi + the keys' log weights.
template <class C>
HWY_NOINLINE void ToExponents(const Profile& profile, const C* key_weight, std::size_t n_keys, C* tile) {
  const Tag<C> d;
  std::visit(
      [&](const auto& kernel) {
        const auto log2_phi = ex::in_bits(kernel.log_phi(ex::Input{}, profile.scale));
        ChangeTile<C>(tile, n_keys, [=](Vec<C> u, std::size_t j, std::size_t) {
          return hn::Add(OnVectors<Tag<C>>{d, u}(log2_phi), hn::Set(d, key_weight[j]));
        });
      },
      *profile.kernel);
}

}  // namespace likewise::engine::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
