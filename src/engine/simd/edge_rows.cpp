#include "engine/simd/edge_rows.hpp"

#include "engine/simd/targets.hpp"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "engine/simd/edge_rows.cpp"
#include "hwy/foreach_target.h"

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace likewise::engine::simd::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;
using Size = std::ptrdiff_t;

/// Calls visit(tag, first) for vectors of [begin, end): whole ones, then halves and smaller ones. Heads are often of 8 features.
template <class C, std::size_t cap, class Visit>
HWY_INLINE void VisitCapped(Size& begin, Size end, const Visit& visit) {
  const hn::CappedTag<C, cap> tag;
  const Size lanes = static_cast<Size>(hn::Lanes(tag));
  for (; begin + lanes <= end; begin += lanes) visit(tag, begin);
}
template <class C, class Visit> HWY_INLINE void VisitVectors(Size begin, Size end, const Visit& visit) {
  VisitCapped<C, 64 / sizeof(C)>(begin, end, visit);
  VisitCapped<C, 32 / sizeof(C)>(begin, end, visit);
  VisitCapped<C, 16 / sizeof(C)>(begin, end, visit);
  VisitCapped<C, 1>(begin, end, visit);
}

/// What u and v of one feature give: add(d, u, v, at, sum) = sum + term, slope(d, u, v, at) by u. `at` is the feature.
template <class C> struct Product {
  template <class D, class V> HWY_INLINE V add(D, V u, V v, Size, V sum) const {
    return hn::MulAdd(u, v, sum);
  }
  template <class D, class V> HWY_INLINE V slope(D, V, V v, Size) const { return v; }
  static constexpr bool reads_own = false;  ///< slope does
};
template <class C> struct Square {
  template <class D, class V> HWY_INLINE V add(D, V u, V v, Size, V sum) const {
    const V difference = hn::Sub(u, v);
    return hn::NegMulAdd(difference, difference, sum);
  }
  template <class D, class V> HWY_INLINE V slope(D, V u, V v, Size) const {
    const V difference = hn::Sub(v, u);
    return hn::Add(difference, difference);
  }
  static constexpr bool reads_own = true;
};
template <class C> struct LeakyRelu {
  const C* a;
  C below;  ///< slope below 0

  template <class D, class V> HWY_INLINE V activation(D d, V u, V v) const {
    const V s = hn::Add(u, v);
    return hn::IfThenElse(hn::Gt(s, hn::Zero(d)), s, hn::Mul(s, hn::Set(d, below)));
  }
  template <class D, class V> HWY_INLINE V add(D d, V u, V v, Size at, V sum) const {
    return hn::MulAdd(hn::LoadU(d, a + at), activation(d, u, v), sum);
  }
  template <class D, class V> HWY_INLINE V slope(D d, V u, V v, Size at) const {
    const V weight = hn::LoadU(d, a + at);
    return hn::IfThenElse(hn::Gt(hn::Add(u, v), hn::Zero(d)), weight, hn::Mul(weight, hn::Set(d, below)));
  }
  static constexpr bool reads_own = true;
};
/// The activation itself in place of its slope.
template <class C> struct Activation {
  LeakyRelu<C> leaky;
  template <class D, class V> HWY_INLINE V slope(D d, V u, V v, Size) const {
    return leaky.activation(d, u, v);
  }
  static constexpr bool reads_own = true;
};

template <class C, class Term>
void Scores(const Term& term, const HeadFeatures& f, const C* HWY_RESTRICT own, const EdgeEnds<C>& edges,
            C* HWY_RESTRICT scores) {
  for (Size e = 0; e < edges.n_edges; ++e) {
    const C* const end = edges.point(e);
    C* const of_edge = scores + e * f.heads;
    if (f.rank == 1) {  // neighboring lanes are heads: nothing is left to be summed
      VisitVectors<C>(0, f.heads, [&](auto d, Size at) HWY_ATTR {
        hn::StoreU(term.add(d, hn::LoadU(d, own + at), hn::LoadU(d, end + at), at, hn::Zero(d)), d,
                   of_edge + at);
      });
      continue;
    }
    for (Size h = 0; h < f.heads; ++h) {
      C score = 0;
      Size at = h * f.rank;
      const Size stop = at + f.rank;
      const auto sum_vectors = [&](auto d) HWY_ATTR {
        const Size lanes = static_cast<Size>(hn::Lanes(d));
        if (at + lanes > stop) return;
        auto sum = hn::Zero(d);
        for (; at + lanes <= stop; at += lanes)
          sum = term.add(d, hn::LoadU(d, own + at), hn::LoadU(d, end + at), at, sum);
        score += hn::GetLane(hn::SumOfLanes(d, sum));
      };
      sum_vectors(hn::CappedTag<C, 64 / sizeof(C)>());
      sum_vectors(hn::CappedTag<C, 32 / sizeof(C)>());
      sum_vectors(hn::CappedTag<C, 16 / sizeof(C)>());
      sum_vectors(hn::CappedTag<C, 1>());
      of_edge[h] = score;
    }
  }
}

/// Sums of kHeads heads from `head` on, a vector of each in a register while all edges pass: several, since each waits for its last
/// addition. 4 against 1: 1.1 of graph attention, 8 heads of 8, forward and backward.
template <int kHeads, class C, class Term>
HWY_INLINE void AddSlopesOfHeads(const Term& term, const HeadFeatures& f, Size head,
                                 const C* HWY_RESTRICT own, const EdgeEnds<C>& edges,
                                 const EdgeNumbers<C>& numbers, C* HWY_RESTRICT sums) {
  static_assert(kHeads == 1 || kHeads == 4);
  constexpr int kSecond = kHeads > 1 ? 1 : 0, kThird = kHeads > 1 ? 2 : 0, kFourth = kHeads > 1 ? 3 : 0;
  VisitVectors<C>(0, f.rank, [&](auto d, Size offset) HWY_ATTR {
    const Size first = head * f.rank + offset,
               at[4] = {first, first + kSecond * f.rank, first + kThird * f.rank, first + kFourth * f.rank};
    auto u0 = hn::Zero(d), u1 = u0, u2 = u0, u3 = u0;
    if constexpr (Term::reads_own) {
      u0 = hn::LoadU(d, own + at[0]);
      u1 = hn::LoadU(d, own + at[1]);
      u2 = hn::LoadU(d, own + at[2]);
      u3 = hn::LoadU(d, own + at[3]);
    }
    auto sum0 = hn::LoadU(d, sums + at[0]), sum1 = hn::LoadU(d, sums + at[1]),
         sum2 = hn::LoadU(d, sums + at[2]), sum3 = hn::LoadU(d, sums + at[3]);
    for (Size e = 0; e < edges.n_edges; ++e) {
      const C* const end = edges.point(e);
      const C* const number = numbers.numbers + numbers.edge_at(e) * f.heads + head;
      const auto add = [&](auto u, Size here, int which, auto sum) HWY_ATTR {
        return hn::MulAdd(hn::Set(d, number[which]), term.slope(d, u, hn::LoadU(d, end + here), here), sum);
      };
      sum0 = add(u0, at[0], 0, sum0);
      if constexpr (kHeads > 1) {
        sum1 = add(u1, at[1], 1, sum1);
        sum2 = add(u2, at[2], 2, sum2);
        sum3 = add(u3, at[3], 3, sum3);
      }
    }
    hn::StoreU(sum0, d, sums + at[0]);
    if constexpr (kHeads > 1) {
      hn::StoreU(sum1, d, sums + at[1]);
      hn::StoreU(sum2, d, sums + at[2]);
      hn::StoreU(sum3, d, sums + at[3]);
    }
  });
}

/// Of heads with one feature each: neighboring lanes are heads.
template <class C, class Term>
HWY_INLINE void AddSlopesOfLanes(const Term& term, const HeadFeatures& f, const C* HWY_RESTRICT own,
                                 const EdgeEnds<C>& edges, const EdgeNumbers<C>& numbers,
                                 C* HWY_RESTRICT sums) {
  VisitVectors<C>(0, f.heads, [&](auto d, Size at) HWY_ATTR {
    auto u = hn::Zero(d);
    if constexpr (Term::reads_own) u = hn::LoadU(d, own + at);
    auto sum = hn::LoadU(d, sums + at);
    for (Size e = 0; e < edges.n_edges; ++e) {
      const auto number = hn::LoadU(d, numbers.numbers + numbers.edge_at(e) * f.heads + at);
      sum = hn::MulAdd(number, term.slope(d, u, hn::LoadU(d, edges.point(e) + at), at), sum);
    }
    hn::StoreU(sum, d, sums + at);
  });
}

template <class C, class Term>
void AddSlopes(const Term& term, const HeadFeatures& f, const C* own, const EdgeEnds<C>& edges,
               const EdgeNumbers<C>& numbers, C* sums) {
  if (f.rank == 1) return AddSlopesOfLanes<C>(term, f, own, edges, numbers, sums);
  Size head = 0;
  for (; head + 4 <= f.heads; head += 4) AddSlopesOfHeads<4, C>(term, f, head, own, edges, numbers, sums);
  for (; head < f.heads; ++head) AddSlopesOfHeads<1, C>(term, f, head, own, edges, numbers, sums);
}

template <class C, class Call> void WithTerm(const ScoreTerm<C>& term, const Call& call) {
  switch (term.term) {
    case FeatureTerm::product:
      return call(Product<C>());
    case FeatureTerm::square:
      return call(Square<C>());
    case FeatureTerm::leaky_relu:
      return call(LeakyRelu<C>{term.a, term.slope});
  }
}

template <class C>
void ScoresOf(const ScoreTerm<C>& term, const HeadFeatures& f, const C* own, const EdgeEnds<C>& edges,
              C* scores) {
  WithTerm(term, [&](const auto& t) { Scores<C>(t, f, own, edges, scores); });
}
template <class C>
void AddSlopesOf(const ScoreTerm<C>& term, const HeadFeatures& f, const C* own, const EdgeEnds<C>& edges,
                 const EdgeNumbers<C>& numbers, C* sums) {
  WithTerm(term, [&](const auto& t) { AddSlopes<C>(t, f, own, edges, numbers, sums); });
}
template <class C>
void AddActivationsOf(const ScoreTerm<C>& term, const HeadFeatures& f, const C* own, const EdgeEnds<C>& edges,
                      const EdgeNumbers<C>& numbers, C* sums) {
  AddSlopes<C>(Activation<C>{{term.a, term.slope}}, f, own, edges, numbers, sums);
}

// Highway's tables hold functions without template arguments.
#define LIKEWISE_NAMED(Name, C)                                                                              \
  void Scores##Name(const ScoreTerm<C>& t, const HeadFeatures& f, const C* own, const EdgeEnds<C>& edges,    \
                    C* scores) {                                                                             \
    ScoresOf<C>(t, f, own, edges, scores);                                                                   \
  }                                                                                                          \
  void AddSlopes##Name(const ScoreTerm<C>& t, const HeadFeatures& f, const C* own, const EdgeEnds<C>& edges, \
                       const EdgeNumbers<C>& numbers, C* sums) {                                             \
    AddSlopesOf<C>(t, f, own, edges, numbers, sums);                                                         \
  }                                                                                                          \
  void AddActivations##Name(const ScoreTerm<C>& t, const HeadFeatures& f, const C* own,                      \
                            const EdgeEnds<C>& edges, const EdgeNumbers<C>& numbers, C* sums) {              \
    AddActivationsOf<C>(t, f, own, edges, numbers, sums);                                                    \
  }
LIKEWISE_NAMED(Float, float)
LIKEWISE_NAMED(Double, double)
#undef LIKEWISE_NAMED

}  // namespace
}  // namespace likewise::engine::simd::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace likewise::engine::simd {
HWY_EXPORT(ScoresFloat);
HWY_EXPORT(ScoresDouble);
HWY_EXPORT(AddSlopesFloat);
HWY_EXPORT(AddSlopesDouble);
HWY_EXPORT(AddActivationsFloat);
HWY_EXPORT(AddActivationsDouble);

#define LIKEWISE_DISPATCHED(Name, C)                                                                         \
  template <>                                                                                                \
  void edge_scores(const ScoreTerm<C>& t, const HeadFeatures& f, const C* own, const EdgeEnds<C>& edges,     \
                   C* scores) {                                                                              \
    HWY_DYNAMIC_DISPATCH(Scores##Name)(t, f, own, edges, scores);                                            \
  }                                                                                                          \
  template <>                                                                                                \
  void add_edge_slopes(const ScoreTerm<C>& t, const HeadFeatures& f, const C* own, const EdgeEnds<C>& edges, \
                       const EdgeNumbers<C>& numbers, C* sums) {                                             \
    HWY_DYNAMIC_DISPATCH(AddSlopes##Name)(t, f, own, edges, numbers, sums);                                  \
  }                                                                                                          \
  template <>                                                                                                \
  void add_edge_activations(const ScoreTerm<C>& t, const HeadFeatures& f, const C* own,                      \
                            const EdgeEnds<C>& edges, const EdgeNumbers<C>& numbers, C* sums) {              \
    HWY_DYNAMIC_DISPATCH(AddActivations##Name)(t, f, own, edges, numbers, sums);                             \
  }
LIKEWISE_DISPATCHED(Float, float)
LIKEWISE_DISPATCHED(Double, double)
#undef LIKEWISE_DISPATCHED

}  // namespace likewise::engine::simd
#endif
