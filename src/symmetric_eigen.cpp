#include "symmetric_eigen.hpp"

#include <Eigen/Eigenvalues>

namespace likewise {

SymmetricEigen::SymmetricEigen(const Eigen::MatrixXd& matrix) {
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(matrix);
  converged_ = solver.info() == Eigen::Success;
  values_ = solver.eigenvalues();
  vectors_ = solver.eigenvectors();
}

}  // namespace likewise
