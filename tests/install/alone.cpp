// One header alone is enough for what it declares.
#include <likewise/mechanism.hpp>

int main() {
  const Eigen::MatrixXd X = Eigen::MatrixXd::Identity(3, 3);
  const Eigen::VectorXd sums = likewise::Mechanism{}.self_operator(X) * Eigen::VectorXd::Ones(3);
  return sums.isOnes(1e-12) ? 0 : 1;
}
