// Diffusion maps against the definition: powers of a row-stochastic matrix written out.
#include <cmath>
#include <random>

#include <likewise/algorithms/diffusion_maps.hpp>

#include "catch.hpp"

using namespace likewise;

namespace {

Matrix<double> cloud(Index n, Index d) {
  std::mt19937 random(11);
  std::normal_distribution<double> normal;
  return Matrix<double>::NullaryExpr(n, d, [&] { return normal(random); });
}

/// K / (q^alpha q^alpha), then rows that sum to 1.
Eigen::MatrixXd walk(const Matrix<double>& X, double h, double alpha) {
  Eigen::MatrixXd K(X.rows(), X.rows());
  for (Index i = 0; i < X.rows(); ++i)
    for (Index j = 0; j < X.rows(); ++j)
      K(i, j) = std::exp(-(X.row(i) - X.row(j)).squaredNorm() / (2 * h * h));
  const Eigen::VectorXd q = K.rowwise().sum().array().pow(-alpha);
  K = (q.asDiagonal() * K * q.asDiagonal()).eval();
  const Eigen::VectorXd mass = K.rowwise().sum();
  return mass.cwiseInverse().asDiagonal() * K;
}

}  // namespace

TEST_CASE("diffusion distances are distances between rows of P^t", "[diffusion_maps]") {
  const Index n = 12;
  const auto alpha = GENERATE(0.0, 0.5, 1.0);
  const auto t = GENERATE(1, 3);
  const Matrix<double> X = cloud(n, 3);
  const auto map = diffusion_maps(X, {.n_components = n - 1,
                                      .density_alpha = alpha,
                                      .bandwidth = 1.2,
                                      .diffusion_time = static_cast<double>(t)});
  const Eigen::MatrixXd P = walk(X, 1.2, alpha);
  Eigen::MatrixXd Pt = P, equilibrium = P;
  for (int s = 1; s < t; ++s) Pt = (Pt * P).eval();
  for (int s = 0; s < 12; ++s)
    equilibrium = (equilibrium * equilibrium).eval();  // rows are the stationary law
  const Eigen::RowVectorXd pi = equilibrium.row(0);
  const Matrix<double> distances = map.diffusion_distances();
  for (Index i = 0; i < n; ++i)
    for (Index j = 0; j < n; ++j) {
      const double want = ((Pt.row(i) - Pt.row(j)).array().square() / pi.array()).sum();
      CHECK(distances(i, j) * distances(i, j) == Approx(want).margin(1e-10));
    }
}

TEST_CASE("disconnected graphs keep the identity, as the constant alone is left out", "[diffusion_maps]") {
  Matrix<double> X = cloud(12, 2);
  X.topRows(5).array() += 1000;
  const auto map = diffusion_maps(X, {.n_components = 11, .bandwidth = 1.0});
  CHECK(map.n_graph_components == 2);
  CHECK(map.eigenvalues(0) == 1);
  const Eigen::MatrixXd P = map.P.dense();
  Vector<double> pi = map.P.log_stationary().array().exp();
  pi /= pi.sum();
  const Matrix<double> distances = map.diffusion_distances();
  for (Index i = 0; i < 12; ++i)
    for (Index j = 0; j < 12; ++j) {
      const double want = ((P.row(i) - P.row(j)).array().square() / pi.transpose().array()).sum();
      CHECK(distances(i, j) * distances(i, j) == Approx(want).margin(1e-9));
    }
}

TEST_CASE("new points: training points come back, others as after a refit", "[diffusion_maps]") {
  const Matrix<double> X = cloud(150, 2);
  const auto t = GENERATE(0.0, 1.0, 2.5);
  const auto map = diffusion_maps(X, {.n_components = 3, .bandwidth = 0.8, .diffusion_time = t});
  CHECK((map.transform(X) - map.embedding).cwiseAbs().maxCoeff() < 1e-9);
  CHECK(map.embedding.col(0) == map.eigenvectors.col(0) * std::pow(map.eigenvalues(0), t));

  const auto refit =
      diffusion_maps(X.topRows(140), {.n_components = 3, .bandwidth = 0.8, .diffusion_time = t});
  const Matrix<double> extended = refit.transform(X.bottomRows(10)), own = map.embedding.bottomRows(10);
  const double sign = extended.col(0).dot(own.col(0)) < 0 ? -1 : 1;
  CHECK((sign * extended.col(0) - own.col(0)).norm() < 0.15 * own.col(0).norm());
}

TEST_CASE("diffusion maps on neighbors agree with all pairs, and extend approximately", "[diffusion_maps]") {
  const Index n = 300;
  Matrix<double> X(n, 2);
  for (Index i = 0; i < n; ++i) {
    const double angle = 2 * 3.14159265358979 * static_cast<double>(i) / static_cast<double>(n);
    X.row(i) << std::cos(angle), std::sin(angle);
  }
  const auto map = diffusion_maps(X, {.n_components = 2, .bandwidth = 0.1, .n_neighbors = 41});
  CHECK(map.P.storage() == "sparse");
  CHECK(map.eigenvalues(0) == Approx(map.eigenvalues(1)).margin(1e-8));  // cos and sin
  const Vector<double> radius = map.embedding.rowwise().norm();
  CHECK(radius.maxCoeff() - radius.minCoeff() < 1e-6 * radius.maxCoeff());
  CHECK((map.transform(X) - map.embedding).norm() < 0.05 * map.embedding.norm());
}

TEST_CASE("diffusion maps refuse what does not fit", "[diffusion_maps]") {
  const Matrix<double> X = cloud(6, 2);
  CHECK_THROWS_WITH(diffusion_maps(X, {.n_components = 6, .bandwidth = 1.0}),
                    Catch::Contains("n_components must be an int in [1, 5]"));
  CHECK_THROWS_WITH(diffusion_maps(X, {.bandwidth = 1.0, .diffusion_time = -1}),
                    Catch::Contains("diffusion_time"));
  CHECK_THROWS_WITH(diffusion_maps(X, {.bandwidth = 1.0, .n_neighbors = 7}), Catch::Contains("n_neighbors"));
  CHECK_THROWS_WITH(diffusion_maps(X, {.bandwidth = 1.0, .kernel = Gaussian{2.0}}),
                    Catch::Contains("bandwidth"));
}
