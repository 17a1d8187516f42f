// All eigenpairs of a small symmetric matrix: Eigen's solver, compiled once for everybody.
#pragma once

#include <likewise/types.hpp>

namespace likewise {

class SymmetricEigen {
 public:
  /// Reads the lower triangle. O(n^3).
  explicit SymmetricEigen(const Eigen::MatrixXd& matrix);

  bool converged() const { return converged_; }
  const Eigen::VectorXd& eigenvalues() const { return values_; }    ///< ascending
  const Eigen::MatrixXd& eigenvectors() const { return vectors_; }  ///< orthonormal columns

 private:
  bool converged_;
  Eigen::VectorXd values_;
  Eigen::MatrixXd vectors_;
};

}  // namespace likewise
