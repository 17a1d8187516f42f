// Rows of a row-stochastic operator before their division.
#pragma once

#include <likewise/types.hpp>

namespace likewise {

/// Each row's weights relative to the largest of them, and what divides them: their sum and the null mass, 0 in a row that
/// yields 0. Equal weights are exactly 1, so that sums of them are counts, and a mean divides once.
struct UndividedRows {
  SparseMatrix<double> weights;
  Vector<double> mass;
};

}  // namespace likewise
