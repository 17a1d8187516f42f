// A graph of neighbors made symmetric.
#pragma once

#include <string>

#include <likewise/execution.hpp>
#include <likewise/types.hpp>

namespace likewise {

/// log B from log A, edge by edge, 0 where there is none: "union" max(a, b), "mutual" min(a, b), "average" (a + b)/2,
/// "fuzzy_union" a + b - ab. The last throws InvalidArgument for a weight above 1, which is no membership.
SparseMatrix<double> symmetrized(const SparseMatrix<double>& A, const std::string& how, const Execution& run);

}  // namespace likewise
