// All eigenpairs of a small block.
#include <algorithm>
#include <limits>

#include <likewise/error.hpp>

#include "spectrum/symmetric_block.hpp"
#include "symmetric_eigen.hpp"

namespace likewise::spectrum {

Eigenpairs dense_eigenpairs(const SymmetricBlock& A, Index k, const SpectrumOptions& options,
                            const Execution& run) {
  const double n = static_cast<double>(A.size);
  run.require_memory(3 * n * n * sizeof(double), "a dense eigenproblem",
                     "ask for fewer eigenpairs or use solver='lanczos'",
                     std::to_string(A.size) + " x " + std::to_string(A.size) + " float64");
  Columns matrix = A.dense();
  matrix = (0.5 * (matrix + matrix.transpose())).eval();
  // The trivial eigenvalue 1 = |A| moves below all others.
  if (A.trivial.size()) matrix -= 3 * A.trivial * A.trivial.transpose();
  const SymmetricEigen solver(matrix);
  if (!solver.converged()) throw NotConverged("the dense eigensolver did not converge");
  Eigenpairs pairs{solver.eigenvalues().tail(k).reverse(),
                   solver.eigenvectors().rightCols(k).rowwise().reverse(),
                   {},
                   {{.n_iter = 1, .solver = "dense"}}};
  pairs.residuals = (matrix * pairs.vectors - pairs.vectors * pairs.values.asDiagonal()).colwise().norm();
  const double norm = norm_bound(A), rounding = 8 * n * std::numeric_limits<double>::epsilon() * norm;
  pairs.report.converged =
      pairs.residuals.maxCoeff() <= std::max(absolute_tolerance(A, norm, options), rounding);
  if (pairs.report.converged) pairs.report.certificate = "whole matrix";
  return pairs;
}

}  // namespace likewise::spectrum
