// Modern Hopfield networks: retrieval, and an energy that never rises.
#include <likewise/algorithms/hopfield_memory.hpp>

#include "catch.hpp"
#include "refusal.hpp"
#include "samples.hpp"

using namespace likewise;

TEST_CASE("an update is softmax(q X^T / t) X", "[hopfield]") {
  const Matrix<double> X = samples::normal(12, 4, 31), Q = samples::normal(5, 4, 32);
  const double t = 0.8;
  Eigen::MatrixXd W = (Q * X.transpose() / t).array().exp();
  W = W.array().colwise() / W.rowwise().sum().array();
  const auto memory = hopfield_memory(X, {.temperature = t, .max_iter = 1});
  CHECK(memory.retrieve(Q).states.isApprox(W * X, 1e-12));
  CHECK(memory.retrieve(Q).report.n_iter == 1);
}

TEST_CASE("the energy is Ramsauer's and decreases at every step", "[hopfield]") {
  const Matrix<double> X = samples::normal(30, 6, 33), Q = samples::normal(10, 6, 34);
  for (const double t : {0.2, 1.0, 5.0}) {
    const auto memory = hopfield_memory(X, {.temperature = t, .max_iter = 50, .tol = 0});
    const Eigen::MatrixXd scores = Q * X.transpose() / t;
    for (Index i = 0; i < Q.rows(); ++i) {
      const double want = -t * std::log(scores.row(i).array().exp().sum()) + 0.5 * Q.row(i).squaredNorm()
                          + t * std::log(30.0) + 0.5 * X.rowwise().squaredNorm().maxCoeff();
      CHECK(memory.energy(Q)(i) == Approx(want));
      CHECK(memory.energy(Q)(i) >= 0);  // eq. 38 of the paper
    }
    const auto r = memory.retrieve(Q);
    REQUIRE(r.energies.rows() == r.report.n_iter + 1);  // fewer than 51 where all stand exactly still
    REQUIRE(r.energies.rows() > 2);
    CHECK((r.energies.row(0) - memory.energy(Q).transpose()).norm() == 0);
    for (Index step = 1; step < r.energies.rows(); ++step)
      CHECK(((r.energies.row(step) - r.energies.row(step - 1)).array() <= 1e-12).all());
    CHECK(((r.energies.row(1) - r.energies.row(0)).array() < 0).all());
  }
}

TEST_CASE("with squared distances it is Gaussian mean shift, whose energy decreases too", "[hopfield]") {
  const Matrix<double> X = samples::normal(30, 3, 35), Q = samples::normal(10, 3, 36);
  const auto memory =
      hopfield_memory(X, {.metric = SquaredEuclidean{}, .temperature = 0.5, .max_iter = 30, .tol = 0});
  const auto r = memory.retrieve(Q);
  for (Index step = 1; step < r.energies.rows(); ++step)
    CHECK(((r.energies.row(step) - r.energies.row(step - 1)).array() <= 1e-12).all());
}

TEST_CASE("a cold memory retrieves the stored pattern of a noisy query in one step", "[hopfield]") {
  const Matrix<double> X = samples::normal(20, 40, 37), Q = X + 0.3 * samples::normal(20, 40, 38);
  const auto r = hopfield_memory(X, {.temperature = 0.1}).retrieve(Q);
  CHECK(r.report.converged);
  CHECK(r.report.n_iter <= 3);
  CHECK((r.states - X).cwiseAbs().maxCoeff() < 1e-6);
  const auto single = hopfield_memory(X.cast<float>(), {.temperature = 0.1}).retrieve(Q.cast<float>());
  CHECK((single.states.cast<double>() - X).cwiseAbs().maxCoeff() < 1e-5);
}

TEST_CASE("a batch retrieves what its queries retrieve alone: each stops by itself", "[hopfield]") {
  const Matrix<double> X = samples::normal(20, 4, 40);
  Matrix<double> Q = samples::normal(6, 4, 41);
  const auto memory = hopfield_memory(X, {.temperature = 1.0, .tol = 1e-2});
  const auto together = memory.retrieve(Q);
  int fewest = together.report.n_iter;
  for (Index i = 0; i < Q.rows(); ++i) {
    const auto alone = memory.retrieve(Q.row(i));
    fewest = std::min(fewest, alone.report.n_iter);
    CHECK((together.states.row(i) - alone.states).cwiseAbs().maxCoeff() < 1e-12);
  }
  CHECK(fewest < together.report.n_iter);
}

TEST_CASE("Hopfield memories refuse what does not fit", "[hopfield]") {
  const Matrix<double> X = samples::normal(3, 2, 39);
  CHECK(refusal([&] { hopfield_memory(X, {.temperature = 0}); }).find("temperature must be")
        != std::string::npos);
  CHECK(refusal([&] { hopfield_memory(X, {.max_iter = 0}); }).starts_with("max_iter must be"));
  CHECK(refusal([&] { hopfield_memory(Matrix<double>(0, 2)); }).starts_with("patterns must be"));
  const auto manhattan = hopfield_memory(X, {.metric = Manhattan{}});
  CHECK(manhattan.retrieve(X).energies.size() == 0);
  CHECK(refusal([&] { manhattan.energy(X); }).starts_with("metric must be"));
}
