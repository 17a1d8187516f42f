// Sums over the edges of one point of a graph, for all heads at once: scores of pairs, and rows of features times a number of
// each edge. Compiled for each instruction set.
#pragma once

#include <cstddef>

#include <likewise/metric/feature_term.hpp>

namespace likewise::engine::simd {

/// Features of a point by heads: those of head h begin at h * rank.
struct HeadFeatures {
  std::ptrdiff_t heads, rank;
  std::ptrdiff_t size() const { return heads * rank; }
};

/// What a pair's score adds up, a term a feature; of leaky_relu `a` is a number for each feature of each head.
template <class C> struct ScoreTerm {
  FeatureTerm term;
  const C* a = nullptr;
  C slope = 0;
};

/// The points that a point's edges lead to: rows of `points`, `stride` apart.
template <class C> struct EdgeEnds {
  const int* ends;
  std::ptrdiff_t n_edges;
  const C* points;
  std::ptrdiff_t stride;

  const C* point(std::ptrdiff_t e) const { return points + ends[e] * stride; }
};

/// A number for each edge and head: edge e's begin at edge_at(e) * heads.
template <class C> struct EdgeNumbers {
  const C* numbers;
  const int* places;  ///< nullptr: edges in order

  std::ptrdiff_t edge_at(std::ptrdiff_t e) const { return places ? places[e] : e; }
};

/// scores[e * heads + h] = sum_k term(own_hk, end_hk)
template <class C>
void edge_scores(const ScoreTerm<C>& term, const HeadFeatures& features, const C* own,
                 const EdgeEnds<C>& edges, C* scores);

/// sums[h * rank + k] += sum_e number_eh d term(own_hk, end_hk) / d own_hk. Of a product that is number_eh end_hk, and own is not
/// read.
template <class C>
void add_edge_slopes(const ScoreTerm<C>& term, const HeadFeatures& features, const C* own,
                     const EdgeEnds<C>& edges, const EdgeNumbers<C>& numbers, C* sums);

/// sums[h * rank + k] += sum_e number_eh leaky(own_hk + end_hk): the derivative by a of leaky_relu terms.
template <class C>
void add_edge_activations(const ScoreTerm<C>& term, const HeadFeatures& features, const C* own,
                          const EdgeEnds<C>& edges, const EdgeNumbers<C>& numbers, C* sums);

}  // namespace likewise::engine::simd
