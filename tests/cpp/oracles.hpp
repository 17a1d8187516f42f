// Small dense linear algebra as an oracle: Eigen's, compiled once for all tests.
#pragma once

#include <Eigen/Core>

namespace oracles {

struct Eigenpairs {
  Eigen::VectorXd values;   ///< ascending
  Eigen::MatrixXd vectors;  ///< orthonormal columns
};
/// Of a symmetric matrix.
Eigenpairs symmetric_eigenpairs(const Eigen::MatrixXd& A);
/// The real parts of any matrix's eigenvalues, descending.
Eigen::VectorXd eigenvalues(const Eigen::MatrixXd& A);
/// A^-1 B.
Eigen::MatrixXd solve(const Eigen::MatrixXd& A, const Eigen::MatrixXd& B);

}  // namespace oracles
