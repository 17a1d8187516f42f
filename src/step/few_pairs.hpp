// A step on few pairs is one tile: scores, weights and products without an operator. Layers and stacks of short sequences
// take thousands of them a second.
#pragma once

#include <likewise/step.hpp>

namespace likewise::few_pairs {

/// Few enough pairs for a tile in the first caches, of a mechanism that the tile knows: exp(-c/t) of a dot product or a squared
/// distance, filters of pairs, rows by mass.
template <class T> bool serve(const Mechanism& mechanism, const StepInputs<T>& inputs);

/// Writes y = P v; returns log sum_j w_j exp(-c_ij / t) of each row.
template <class T>
Vector<double> step(const Mechanism& mechanism, const StepInputs<T>& inputs, StridedSums<T> y);

template <class T>
void step_vjp(const Mechanism& mechanism, const StepInputs<T>& inputs, const Vector<double>& log_sums,
              const StridedRows<T>& y, const StridedRows<T>& grad_y, StepGradient<T>& gradient);

}  // namespace likewise::few_pairs
