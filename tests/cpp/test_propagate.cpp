// The fifth slot: each propagation against dense float64 matrices, and what each refuses.
#include <likewise/likewise.hpp>

#include "catch.hpp"
#include "oracles.hpp"
#include "testing.hpp"

using namespace likewise;

namespace {

/// exp(-|x - z|^2 / (2 h^2)).
Eigen::MatrixXd gaussians(const Eigen::MatrixXd& X, const Eigen::MatrixXd& Z, double h) {
  Eigen::MatrixXd K(X.rows(), Z.rows());
  for (Index i = 0; i < X.rows(); ++i)
    for (Index j = 0; j < Z.rows(); ++j)
      K(i, j) = std::exp(-(X.row(i) - Z.row(j)).squaredNorm() / (2 * h * h));
  return K;
}

Eigen::MatrixXd rows_to_one(const Eigen::MatrixXd& K) {
  return K.array().colwise() / K.rowwise().sum().array();
}

Mechanism walk(double h, Propagation propagation) {
  return {.metric = Euclidean{}, .kernel = Gaussian{h}, .propagation = std::move(propagation)};
}

double difference(const Eigen::MatrixXd& a, const Eigen::MatrixXd& b) {
  return (a - b).cwiseAbs().maxCoeff();
}

const Eigen::MatrixXd X = normal_matrix(30, 2, 1);
const Eigen::MatrixXd V = normal_matrix(30, 3, 2);
const Eigen::MatrixXd P = rows_to_one(gaussians(X, X, 0.8));

/// A 0 x 0 matrix: no values.
const Eigen::MatrixXd nothing;

}  // namespace

TEST_CASE("steps are powers, heat their exponential", "[propagate]") {
  CHECK(difference(propagate(walk(0.8, OneStep{}), X, V).values, P * V) < 1e-12);
  CHECK(difference(propagate(walk(0.8, Steps{0}), X, V).values, V) == 0);
  CHECK(difference(propagate(walk(0.8, Steps{3}), X, V).values, P * P * P * V) < 1e-12);
  Eigen::MatrixXd term = V, sum = V;  // exp(-t) exp(t P) V
  for (int k = 1; k < 60; ++k) {
    term = 2.5 / k * P * term;
    sum += term;
  }
  CHECK(difference(propagate(walk(0.8, Heat{2.5}), X, V).values, std::exp(-2.5) * sum) < 1e-12);
  const auto in_float = propagate(walk(0.8, Steps{2}), X.cast<float>(), V.cast<float>());
  CHECK(difference(in_float.values.cast<double>(), P * P * V) < 1e-5);
}

TEST_CASE("steps until still end in the stationary law's mean", "[propagate]") {
  const auto found = propagate(walk(0.8, Steps{.tol = 1e-12, .max_iter = 10000}), X, V);
  const Eigen::VectorXd mass = gaussians(X, X, 0.8).rowwise().sum();
  const Eigen::RowVectorXd mean = mass.transpose() * V / mass.sum();
  CHECK(found.report.converged);
  CHECK(difference(found.values, mean.replicate(30, 1)) < 1e-8);
  const auto stopped = propagate(walk(0.8, Steps{.tol = 1e-12, .max_iter = 2}), X, V);
  CHECK_FALSE(stopped.report.converged);
  CHECK(stopped.report.n_iter == 2);
  CHECK(difference(stopped.values, P * P * V) < 1e-12);
}

TEST_CASE("points move each by itself until it stands still", "[propagate]") {
  const double h = 0.5, tol = 1e-3;
  const Mechanism m = walk(h, Steps{.moving = "points", .tol = tol});
  Eigen::MatrixXd want = X;
  for (Index i = 0; i < X.rows(); ++i)
    for (double step = 1; step > tol * h;) {
      const Eigen::RowVectorXd next = rows_to_one(gaussians(want.row(i), X, h)) * X;
      step = (next - want.row(i)).norm();
      want.row(i) = next;
    }
  const auto found = propagate(m, X, X);
  CHECK(found.report.converged);
  CHECK(found.report.residual <= tol);
  CHECK(difference(found.values, want) < 1e-10);
  const auto some = propagate_from<double>(X.topRows(4), m.self_operator(X), X);
  CHECK(difference(some.values, want.topRows(4)) < 1e-10);
  const auto twice = propagate(walk(h, Steps{.t = 2, .moving = "points"}), X, X);
  const Eigen::MatrixXd once = rows_to_one(gaussians(X, X, h)) * X;
  CHECK(difference(twice.values, rows_to_one(gaussians(once, X, h)) * X) < 1e-12);
  // Without a bandwidth the longest row of what points move toward is the unit.
  const Mechanism retrieval{.metric = DotProduct{},
                            .kernel = Exponential{0.2},
                            .propagation = Steps{.moving = "points", .tol = 1e-6}};
  CHECK(propagate(retrieval, X, X).report.residual <= 1e-6);
}

TEST_CASE("an equilibrium holds rows, or all of them softly", "[propagate]") {
  std::vector<bool> clamped(30);
  for (std::size_t i = 0; i < 30; i += 5) clamped[i] = true;
  Eigen::MatrixXd A = Eigen::MatrixXd::Identity(30, 30) - P, b = Eigen::MatrixXd::Zero(30, 3);
  for (Index i = 0; i < 30; i += 5) {
    A.row(i) = Eigen::RowVectorXd::Unit(30, i);
    b.row(i) = V.row(i);
  }
  const auto held = propagate(walk(0.8, Equilibrium{.tol = 1e-12}), X, V, clamped);
  CHECK(difference(held.values, oracles::solve(A, b)) < 1e-8);
  CHECK(held.unreached == std::vector<bool>(30));
  const auto soft = propagate(walk(0.8, Equilibrium{.alpha = 0.7, .tol = 1e-12}), X, V);
  const Eigen::MatrixXd want = oracles::solve(Eigen::MatrixXd::Identity(30, 30) - 0.7 * P, 0.3 * V);
  CHECK(difference(soft.values, want) < 1e-8);
  CHECK(refusal([&] { propagate(walk(0.8, Equilibrium{}), X, V); }).find("clamped must be") == 0);
}

TEST_CASE("a spectrum's vectors are scaled by its power", "[propagate]") {
  Mechanism m = walk(0.8, Spectrum{4, 2.5});
  m.normalization = Symmetric{};
  const Eigen::MatrixXd K = gaussians(X, X, 0.8);
  const Eigen::VectorXd root = K.rowwise().sum().cwiseSqrt();
  const oracles::Eigenpairs all = oracles::symmetric_eigenpairs(K.cwiseQuotient(root * root.transpose()));
  const Eigen::VectorXd values = all.values.reverse().head(4);
  const auto found = propagate(m, X, nothing);
  CHECK(difference(found.eigenpairs.values, values) < 1e-10);
  for (Index k = 0; k < 4; ++k) {
    Eigen::VectorXd want = all.vectors.col(29 - k) * std::pow(values(k), 2.5);
    if (want.dot(found.values.col(k)) < 0) want = -want;
    CHECK(difference(found.values.col(k), want) < 1e-7);
  }
}

TEST_CASE("what a propagation cannot do is refused by name", "[propagate]") {
  const std::vector<bool> all(30, true);
  CHECK(refusal([&] { propagate(walk(0.8, OneStep{}), X, V, all); }).find("clamped must be left out") == 0);
  CHECK(refusal([&] { propagate(walk(0.8, Spectrum{2}), X, V); }).find("V must be left out") == 0);
  CHECK(refusal([&] { propagate(walk(0.8, Steps{.moving = "points"}), X, V); }).find("V must be a matrix")
        == 0);
  CHECK(refusal([&] {
          propagate_from<double>(X, walk(0.8, Heat{}).self_operator(X), V);
        }).find("propagation must be OneStep()")
        == 0);
  Mechanism growing{.metric = DotProduct{},
                    .kernel = Exponential{1.0},
                    .normalization = Unnormalized{},
                    .propagation = Steps{.moving = "points"}};
  CHECK_THROWS_AS(propagate(growing, Eigen::MatrixXd(5 * X), Eigen::MatrixXd(5 * X)), NotConverged);
}

TEST_CASE("fields of propagations are checked", "[propagate]") {
  const auto message = [](Propagation p) { return refusal([&] { validate(p); }); };
  CHECK(message(Steps{-1}).find("t must be an int >= 0") == 0);
  CHECK(message(Steps{.t = 3, .tol = 0.1}).find("t must be None together with tol and max_iter") == 0);
  CHECK(message(Steps{.moving = "both"}).find("moving must be one of 'values', 'points'") == 0);
  CHECK(message(Equilibrium{.alpha = 1.0}) == "alpha must be a number in (0, 1); got 1.");
  CHECK(message(Equilibrium{.solver = "lu"}).find("solver must be one of 'auto'") == 0);
  CHECK(message(Spectrum{0}) == "n must be an int >= 1; got 0.");
  CHECK(message(Spectrum{2, -1}).find("power must be a finite number >= 0") == 0);
  CHECK(message(Heat{-1}).find("t must be a finite number >= 0") == 0);
  CHECK(message(Steps{}) == "no error");
}
