// Turns the report of an iteration into an exception where one is wanted.
#pragma once

#include <likewise/execution.hpp>

namespace likewise {

/// Throws NotConverged with the steps and the residual unless the iteration, whose step limit was max_iter, has
/// converged. For every report: of a mean shift, a Hopfield retrieval, Sinkhorn scalings, label propagation.
void require_converged(const IterationReport& report, int max_iter);

}  // namespace likewise
