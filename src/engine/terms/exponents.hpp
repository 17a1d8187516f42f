// What the fused loop needs of a mechanism: log weights that are an inner product of lifted points plus biases.
#pragma once

#include <variant>

#include "engine/terms/lifted_points.hpp"

namespace likewise::engine {

/// log K_ij = -scale (a_i + b_j - <A_i, B_j>), at most `upper_bound` + rounding. The lifts live as long as their owner.
template <class C> struct LiftedExponents {
  const LiftedPoints<C>* queries;
  const LiftedPoints<C>* keys;
  double scale;
  double upper_bound;      ///< 0 where the cost is a distance, infinity where nothing is known
  bool symmetric = false;  ///< queries and keys are the same points, and K_ij is K_ji
};

/// In float or, where its rounding would move an exponent, in double.
using Exponents = std::variant<LiftedExponents<float>, LiftedExponents<double>>;

/// The same with keys asking queries.
template <class C> LiftedExponents<C> transposed(const LiftedExponents<C>& e) {
  return {e.keys, e.queries, e.scale, e.upper_bound, e.symmetric};
}

}  // namespace likewise::engine
