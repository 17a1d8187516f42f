// The exp-sum of a point set with itself at half the work: K_ij serves rows i and j.
#pragma once

#include <likewise/execution.hpp>
#include <likewise/partial_sums.hpp>

#include "engine/terms/exponents.hpp"

namespace likewise::engine {

/// Whether `symmetric_sum` is exact enough and pays: exponents symmetric and at most 0; key biases within a factor of 2^60,
/// so that one reference serves all rows; points enough for some blocks; and at most one value column or wide points, for
/// only scores and weights are saved, sums of columns are not.
template <class C>
bool symmetric_sum_serves(const LiftedExponents<C>& e, const Vector<double>& key_bias, Index n_columns);

/// exp_sum of those exponents. Blocks meet as in a tournament, each once a round: every block's sums grow in one order,
/// whatever the number of threads. O(n c) memory, and a block of packed queries a thread.
template <class C>
Partial<C> symmetric_sum(const LiftedExponents<C>& e, const Vector<double>& key_bias, const Values<C>& V,
                         const Execution& run);

}  // namespace likewise::engine
