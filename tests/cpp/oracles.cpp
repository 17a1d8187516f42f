#include "oracles.hpp"

#include <Eigen/Eigenvalues>
#include <Eigen/LU>
#include <algorithm>
#include <functional>

namespace oracles {

Eigenpairs symmetric_eigenpairs(const Eigen::MatrixXd& A) {
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(A);
  return {solver.eigenvalues(), solver.eigenvectors()};
}

Eigen::VectorXd eigenvalues(const Eigen::MatrixXd& A) {
  Eigen::VectorXd values = Eigen::EigenSolver<Eigen::MatrixXd>(A, false).eigenvalues().real();
  std::sort(values.begin(), values.end(), std::greater<>());
  return values;
}

Eigen::MatrixXd solve(const Eigen::MatrixXd& A, const Eigen::MatrixXd& B) { return A.fullPivLu().solve(B); }

}  // namespace oracles
