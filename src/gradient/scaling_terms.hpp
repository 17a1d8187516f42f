// The derivative of a normalization, as what the derivatives of its weights lose.
#pragma once

#include <likewise/operator.hpp>

#include "engine/backward.hpp"

namespace likewise {

/// dL/d log K_ij with the normalization's deductions, and what log key weights get beside the column sums of that. grad is
/// dL/dY, V the values, Y = P V; the terms refer to grad and V.
template <class T> struct ScalingTerms {
  engine::BackwardTerms<T> terms;
  Vector<double> log_key_weights;  ///< (n_keys,)
};

template <class T>
ScalingTerms<T> scaling_terms(const PropagationOperator<T>& P, bool self, const Values<T>& grad,
                              const Values<T>& V, const Values<T>& Y, const Execution& run);

}  // namespace likewise
