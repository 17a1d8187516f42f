// What the fused loop needs of a mechanism whose log weights are not an inner product: scores, then a profile.
#pragma once

#include <functional>
#include <utility>
#include <variant>

#include <likewise/metric.hpp>

#include "engine/terms/profile.hpp"

namespace likewise::engine {

/// Ways from two points to a score.
enum class ScoreWay {
  lift,     ///< a_i + b_j - <A_i, B_j>
  squares,  ///< sum_k (x_k - z_k)^2
  sums,     ///< sum_k |x_k - z_k|
  largest,  ///< max_k |x_k - z_k|
  powers,   ///< (sum_k |x_k - z_k|^p)^(1/p)
  given     ///< an entry of a matrix
};

/// Scores of all pairs. What it points at lives as long as its owner.
template <class C> struct Scores {
  ScoreWay way = ScoreWay::given;
  int power = 0;                          ///< the score is d^power; 0: the cost itself, which is no distance
  const Matrix<C>* queries = nullptr;     ///< A or x; rows are points
  const Matrix<C>* keys = nullptr;        ///< B or z
  const Vector<C>* query_bias = nullptr;  ///< a, of a lift
  const Vector<C>* key_bias = nullptr;    ///< b
  double p = 1;                           ///< of powers
  double query_factor = 1;                ///< x is that times the stored row
  double factor = 1;                      ///< of the squares: the score is that times their sum
  bool not_negative = false;              ///< a lift below 0 is rounding
  /// Scores of a lift below that share of a + b are found again as factor sum_k (query_factor A - B)^2: a root would
  /// magnify what cancellation left of them. 0: none.
  double unsure = 0;
  const Matrix<C>* matrix = nullptr;  ///< the scores that are given
  bool turned = false;                ///< they are read as matrix(key, query)
};

/// The same with keys asking queries.
template <class C> Scores<C> transposed(Scores<C> s) {
  std::swap(s.queries, s.keys);
  std::swap(s.query_bias, s.key_bias);
  s.factor *= s.query_factor * s.query_factor;
  s.query_factor = 1 / s.query_factor;
  s.turned = !s.turned;
  return s;
}

/// Where a kernel ends (or, as 1/d, has no number), the rounding of a score would decide which pairs count. Pairs whose
/// score lies within `rounding` (a + b + score) of that edge, a and b the biases of a lift, are found again one by one.
struct KernelEdge {
  double score = 0;
  double rounding = 0;
  std::function<double(Index query, Index key)> log_weight;  ///< by definition, a natural logarithm
};

/// log2 K_ij = profile(score_ij), the input times query_scale_i key_scale_j where there are such.
template <class C> struct ProfiledScores {
  Scores<C> scores;
  Profile profile;
  const Vector<double>* query_scale = nullptr;
  const Vector<double>* key_scale = nullptr;
  const KernelEdge* edge = nullptr;  ///< none: no comparison decides
};
using AnyScores = std::variant<Scores<float>, Scores<double>>;
using AnyProfiledScores = std::variant<ProfiledScores<float>, ProfiledScores<double>>;

template <class C> ProfiledScores<C> transposed(ProfiledScores<C> s) {
  s.scores = transposed(s.scores);
  std::swap(s.query_scale, s.key_scale);
  return s;
}

}  // namespace likewise::engine
