// Integers, and float with double in one call, do not compile.
#include <likewise/neighbors.hpp>

int main() {
  const Eigen::MatrixXd X = Eigen::MatrixXd::Identity(3, 3);
  const Eigen::Matrix<SCALAR, -1, -1> Z = X.cast<SCALAR>();
  return likewise::kneighbors(likewise::Euclidean{}, X, Z, 1).indices.rows() == 3 ? 0 : 1;
}
