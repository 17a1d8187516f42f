#include "engine/simd/nearest.hpp"

#include "engine/simd/targets.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/simd/nearest_tree.cpp"
#include "hwy/foreach_target.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "engine/simd/nearest_lists-inl.h"
#include "hwy/aligned_allocator.h"
#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace likewise::engine::simd::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

/// What a coordinate adds to a sum, and what a cell's bound becomes where one side of it lies farther than before.
struct Summed {
  template <class C> static C Farther(C bound, C beyond, C before) { return bound + beyond - before; }
};

/// |difference|^power, with the powers that are common spelled out.
struct Absolute : Summed {
  explicit Absolute(double) {}
  template <class C> C operator()(C difference) const { return std::abs(difference); }
  template <class D, class V> HWY_INLINE V Add(D, V sum, V difference) const {
    return hn::Add(sum, hn::Abs(difference));
  }
};
struct Square : Summed {
  explicit Square(double) {}
  template <class C> C operator()(C difference) const { return difference * difference; }
  template <class D, class V> HWY_INLINE V Add(D, V sum, V difference) const {
    return hn::MulAdd(difference, difference, sum);
  }
};
/// A small whole power by products: 20 times as fast as the general one.
struct WholePower : Summed {
  static constexpr double most = 8;
  explicit WholePower(double p) : p_(static_cast<int>(p)) {}
  template <class C> C operator()(C difference) const {
    const C once = std::abs(difference);
    C product = once;
    for (int factor = 1; factor < p_; ++factor) product *= once;
    return product;
  }
  template <class D, class V> HWY_INLINE V Add(D, V sum, V difference) const {
    const V once = hn::Abs(difference);
    V product = once;
    for (int factor = 1; factor < p_; ++factor) product = hn::Mul(product, once);
    return hn::Add(sum, product);
  }

 private:
  int p_;
};
struct Power : Summed {
  explicit Power(double p) : p_(p) {}
  template <class C> C operator()(C difference) const {
    return static_cast<C>(std::pow(static_cast<double>(std::abs(difference)), p_));
  }
  template <class D, class V> HWY_INLINE V Add(D d, V sum, V difference) const {
    HWY_ALIGN hn::TFromD<D> lanes[hn::MaxLanes(D())];
    hn::Store(difference, d, lanes);
    for (std::size_t a = 0; a < hn::Lanes(d); ++a) lanes[a] = (*this)(lanes[a]);
    return hn::Add(sum, hn::Load(d, lanes));
  }

 private:
  double p_;
};

/// The power infinity: the largest |difference|.
struct Largest {
  explicit Largest(double) {}
  template <class C> C operator()(C difference) const { return std::abs(difference); }
  template <class D, class V> HWY_INLINE V Add(D, V largest, V difference) const {
    return hn::Max(largest, hn::Abs(difference));
  }
  template <class C> static C Farther(C bound, C beyond, C) { return std::max(bound, beyond); }
};

/// What is done with the keys of a leaf that are below a query's limit.
template <class C> struct ListKeys {
  const NearestLists<C>& lists;
  const PairCondition& rule;
  const std::ptrdiff_t* ids;
  std::size_t query = 0;

  C limit() const { return lists.thresholds[query]; }
  HWY_INLINE void Offer(const C* values, const std::int32_t* keys, std::uint64_t offered) const {
    for (std::uint64_t rest = offered; rest; rest &= rest - 1) {
      const std::size_t bit = static_cast<std::size_t>(__builtin_ctzll(rest));
      if (keys[bit] < 0 || !rule.allows(ids[query], keys[bit])) offered &= ~(std::uint64_t(1) << bit);
    }
    InsertAll<C>(
        lists, query, offered, [&](std::size_t bit) { return values[bit]; },
        [&](std::size_t bit) { return static_cast<ListIndex<C>>(keys[bit]); });
  }
};
template <class C> struct ReportKeys {
  const C* limits;
  const PairSink& sink;
  std::size_t query = 0;

  C limit() const { return limits[query]; }
  HWY_INLINE void Offer(const C*, const std::int32_t* keys, std::uint64_t offered) const {
    for (; offered; offered &= offered - 1)
      if (const std::int32_t key = keys[__builtin_ctzll(offered)]; key >= 0)
        sink.found(sink.context, static_cast<std::ptrdiff_t>(query), key);
  }
};

template <class C, class Term, class Use> struct TreeSearch {
  using D = ListTag<C>;  // whole vectors divide a leaf
  using Node = typename SumTreeView<C>::Node;
  const SumTreeView<C>& tree;
  Term term;
  Use use;
  hwy::AlignedFreeUniquePtr<C[]> sides;  // the distance to the current cell, coordinate by coordinate
  const C* query = nullptr;
  TreeVisits visits{};
  std::size_t width = static_cast<std::size_t>(tree.width);

  HWY_NOINLINE void Leaf(std::int32_t leaf) {
    constexpr std::size_t size = static_cast<std::size_t>(tree_leaf_size);
    const D d;
    const std::size_t lanes = hn::Lanes(d);
    const C* points = tree.leaves + static_cast<std::size_t>(leaf) * size * width;
    const std::int32_t* keys = tree.keys + static_cast<std::size_t>(leaf) * size;
    // An overflow counts as far, not as out of reach.
    const auto most = hn::Set(d, std::numeric_limits<C>::max());
    for (std::size_t base = 0; base < size; base += 2 * lanes) {
      auto sum = hn::Zero(d), other = sum;
      for (std::size_t k = 0; k < width; ++k) {
        const auto q = hn::Set(d, query[k]);
        sum = term.Add(d, sum, hn::Sub(q, hn::LoadU(d, points + k * size + base)));
        other = term.Add(d, other, hn::Sub(q, hn::LoadU(d, points + k * size + base + lanes)));
      }
      Offer(hn::Min(sum, most), keys + base);
      Offer(hn::Min(other, most), keys + base + lanes);
    }
  }

  template <class V> HWY_INLINE void Offer(V sums, const std::int32_t* keys) {
    const D d;
    const auto below = hn::Lt(sums, hn::Set(d, use.limit()));
    if (hn::AllFalse(d, below)) return;
    HWY_ALIGN C values[16];
    hn::Store(sums, d, values);
    HWY_ALIGN std::uint8_t bits[8] = {};  // at most 16 of them
    hn::StoreMaskBits(d, below, bits);
    use.Offer(values, keys, bits[0] | static_cast<std::uint64_t>(bits[1]) << 8);
  }

  static C Clamped(C value) { return std::min(value, std::numeric_limits<C>::max()); }

  void Visit(std::int32_t at, C distance) {
    const Node& node = tree.nodes[at];
    ++visits.nodes;
    if (node.axis < 0) {
      ++visits.leaves;
      Leaf(node.target);
      return;
    }
    const C x = query[node.axis];
    const bool left = (x - node.low) + (x - node.high) < 0;
    Visit(left ? at + 1 : node.target, distance);
    C& side = sides[static_cast<std::size_t>(node.axis)];
    const C before = side, beyond = Clamped(term(left ? node.high - x : x - node.low));
    const C farther = Clamped(Term::Farther(distance, beyond, before));
    if (!(farther * (1 - tree.slack) < use.limit())) return;
    side = beyond;
    Visit(left ? node.target : at + 1, farther);
    side = before;
  }

  void Find(const C* point) {
    query = point;
    C distance = 0;
    for (std::size_t k = 0; k < width; ++k) {
      const C outside = std::max({tree.box_low[k] - point[k], point[k] - tree.box_high[k], C(0)});
      sides[k] = Clamped(term(outside));
      distance = Term::Farther(distance, sides[k], C(0));
    }
    Visit(0, distance);
  }

  TreeVisits Run(const C* points, std::ptrdiff_t n) {
    for (; use.query < static_cast<std::size_t>(n); ++use.query) Find(points + use.query * width);
    return visits;
  }
};

template <class C, class Term, class Use>
TreeVisits RunTerm(const SumTreeView<C>& tree, const C* points, std::ptrdiff_t n, const Use& use) {
  TreeSearch<C, Term, Use> search{tree, Term(tree.power), use,
                                  hwy::AllocateAligned<C>(static_cast<std::size_t>(tree.width))};
  return search.Run(points, n);
}

template <class C, class Use>
TreeVisits RunTree(const SumTreeView<C>& tree, const C* points, std::ptrdiff_t n, const Use& use) {
  if (tree.power == 2) return RunTerm<C, Square>(tree, points, n, use);
  if (tree.power == 1) return RunTerm<C, Absolute>(tree, points, n, use);
  if (std::isinf(tree.power)) return RunTerm<C, Largest>(tree, points, n, use);
  if (tree.power == std::floor(tree.power) && tree.power <= WholePower::most)
    return RunTerm<C, WholePower>(tree, points, n, use);
  return RunTerm<C, Power>(tree, points, n, use);
}

TreeVisits NearestFloat(const SumTreeView<float>& tree, const float* points, const std::ptrdiff_t* ids,
                        std::ptrdiff_t n, const PairCondition& rule, const NearestLists<float>& lists) {
  return RunTree<float>(tree, points, n, ListKeys<float>{lists, rule, ids});
}
TreeVisits NearestDouble(const SumTreeView<double>& tree, const double* points, const std::ptrdiff_t* ids,
                         std::ptrdiff_t n, const PairCondition& rule, const NearestLists<double>& lists) {
  return RunTree<double>(tree, points, n, ListKeys<double>{lists, rule, ids});
}
TreeVisits BelowFloat(const SumTreeView<float>& tree, const float* points, std::ptrdiff_t n,
                      const float* limits, const PairSink& sink) {
  return RunTree<float>(tree, points, n, ReportKeys<float>{limits, sink});
}
TreeVisits BelowDouble(const SumTreeView<double>& tree, const double* points, std::ptrdiff_t n,
                       const double* limits, const PairSink& sink) {
  return RunTree<double>(tree, points, n, ReportKeys<double>{limits, sink});
}

}  // namespace
}  // namespace likewise::engine::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace likewise::engine::simd {
HWY_EXPORT(NearestFloat);
HWY_EXPORT(NearestDouble);
HWY_EXPORT(BelowFloat);
HWY_EXPORT(BelowDouble);

template <>
TreeVisits search_nearest(const SumTreeView<float>& tree, const float* points, const std::ptrdiff_t* ids,
                          std::ptrdiff_t n, const PairCondition& rule, const NearestLists<float>& lists) {
  return HWY_DYNAMIC_DISPATCH(NearestFloat)(tree, points, ids, n, rule, lists);
}
template <>
TreeVisits search_nearest(const SumTreeView<double>& tree, const double* points, const std::ptrdiff_t* ids,
                          std::ptrdiff_t n, const PairCondition& rule, const NearestLists<double>& lists) {
  return HWY_DYNAMIC_DISPATCH(NearestDouble)(tree, points, ids, n, rule, lists);
}
template <>
TreeVisits search_below(const SumTreeView<float>& tree, const float* points, std::ptrdiff_t n,
                        const float* limits, const PairSink& sink) {
  return HWY_DYNAMIC_DISPATCH(BelowFloat)(tree, points, n, limits, sink);
}
template <>
TreeVisits search_below(const SumTreeView<double>& tree, const double* points, std::ptrdiff_t n,
                        const double* limits, const PairSink& sink) {
  return HWY_DYNAMIC_DISPATCH(BelowDouble)(tree, points, n, limits, sink);
}

}  // namespace likewise::engine::simd
#endif
