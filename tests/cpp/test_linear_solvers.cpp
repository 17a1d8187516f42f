// Iterative solvers against systems whose solution was chosen.
#include <Eigen/QR>

#include "catch.hpp"
#include "linear_solvers/conjugate_gradients.hpp"
#include "linear_solvers/gmres.hpp"
#include "linear_solvers/minres.hpp"
#include "testing.hpp"

using namespace likewise;

namespace {

constexpr Index n = 40;

/// Q diag(values) Q^T of a random orthogonal Q.
Matrix<double> symmetric_with(const Vector<double>& values) {
  const Eigen::MatrixXd Q = Eigen::MatrixXd(normal_matrix(n, n, 1)).householderQr().householderQ();
  return Q * values.asDiagonal() * Q.transpose();
}

}  // namespace

TEST_CASE("conjugate gradients solve in an inner product, each column with its own steps", "[solvers]") {
  const Vector<double> weights = normal_matrix(n, 1, 2).array().exp();
  const Matrix<double> S = symmetric_with(Vector<double>::LinSpaced(n, 1, 50));
  const Vector<double> root = weights.cwiseSqrt();
  // A = D^-1 S D is self-adjoint in sum_i weights_i x_i y_i, D^2 = weights.
  const Matrix<double> A = root.cwiseInverse().asDiagonal() * S * root.asDiagonal();
  Matrix<double> want = normal_matrix(n, 3, 3);
  want.col(1).setZero();
  const Matrix<double> b = A * want;
  Matrix<double> x = Matrix<double>::Zero(n, 3);
  const int steps =
      solvers::conjugate_gradients<double>([&](const Matrix<double>& y) -> Matrix<double> { return A * y; },
                                           weights, 1e-12 * solvers::column_norms(b), 1000, x, b);
  CHECK((x - want).norm() < 1e-9);
  CHECK(x.col(1).norm() == 0);
  CHECK(steps <= 3 * n);
}

TEST_CASE("GMRES solves without symmetry, also when it begins anew", "[solvers]") {
  const Matrix<double> A = Matrix<double>(Matrix<double>::Identity(n, n) + 0.08 * normal_matrix(n, n, 4));
  const Vector<double> want = normal_matrix(n, 1, 5).col(0), b = A * want;
  int products = 0;
  const auto map = [&](const Vector<double>& x) -> Vector<double> {
    ++products;
    return A * x;
  };
  CHECK((solvers::gmres(map, b, 1e-13, n, 1000) - want).norm() < 1e-10);
  CHECK(products <= n + 1);
  CHECK((solvers::gmres(map, b, 1e-13, 12, 1000) - want).norm() < 1e-10);
  // The space is exhausted after one step.
  const auto same = [](const Vector<double>& x) -> Vector<double> { return 2 * x; };
  CHECK((solvers::gmres(same, b, 1e-13, n, 1000) - 0.5 * b).norm() < 1e-12);
  const auto nothing = [](const Vector<double>& x) -> Vector<double> { return 0 * x; };
  CHECK(solvers::gmres(nothing, b, 1e-13, n, 1000).allFinite());
}

TEST_CASE("MINRES solves where eigenvalues have both signs", "[solvers]") {
  Vector<double> values = Vector<double>::LinSpaced(n, -3, 7);
  const Matrix<double> A = symmetric_with(values);
  const Vector<double> want = normal_matrix(n, 1, 6).col(0), b = A * want;
  int products = 0;
  const auto map = [&](const Vector<double>& x) -> Vector<double> {
    ++products;
    return A * x;
  };
  CHECK((solvers::minres(map, b, 1e-14, 1000) - want).norm() < 1e-9);
  CHECK(products <= 4 * n);
  products = 0;
  solvers::minres(map, b, 1e-14, 7);
  CHECK(products == 7);
  CHECK(solvers::minres(map, Vector<double>::Zero(n), 1e-14, 1000).norm() == 0);
}
