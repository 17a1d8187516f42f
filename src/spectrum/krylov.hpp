// Block Lanczos with thick restarts and full orthogonalization: the largest eigenpairs of a symmetric operator.
#pragma once

#include <functional>

#include "spectrum/symmetric_block.hpp"

namespace likewise::spectrum {

/// Columns that the operator is given at a time: about what one costs, and as many copies of a repeated eigenvalue are
/// seen at once.
constexpr Index krylov_columns = 4;

struct KrylovOptions {
  Index k = 1;
  /// The residual, of a Ritz value of the operator, that will do.
  std::function<double(double value)> tolerance = {};
  int max_restarts = 1000;
};

struct KrylovPairs {
  Vector<double> values;  ///< descending: k, and a few of the next ones
  Columns vectors;        ///< orthonormal
  double low = 0;         ///< about the least eigenvalue
  bool converged = false;
  int n_restarts = 0;
};

/// Outside the span of the orthonormal columns `known`; `start` (any columns; the first four) is where it begins.
/// A space that the operator does not leave is no failure: it is kept, and random columns go on beside it.
/// Memory of 2 k + 40 columns.
KrylovPairs largest_by_krylov(const std::function<Columns(const Columns&)>& op, const Columns& known,
                              const Columns& start, const KrylovOptions& options);

}  // namespace likewise::spectrum
