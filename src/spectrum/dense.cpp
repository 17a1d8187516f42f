// All eigenpairs of a small block.
#include <likewise/error.hpp>

#include "spectrum/symmetric_block.hpp"
#include "symmetric_eigen.hpp"

namespace likewise::spectrum {

Eigenpairs dense_eigenpairs(const SymmetricBlock& A, Index k, const Execution& run) {
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
                   {.n_iter = 1, .solver = "dense"}};
  pairs.residuals = (matrix * pairs.vectors - pairs.vectors * pairs.values.asDiagonal()).colwise().norm();
  return pairs;
}

}  // namespace likewise::spectrum
