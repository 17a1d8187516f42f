// Equilibria against dense solves, and what no clamped row reaches.
#include <likewise/equilibrium.hpp>

#include "catch.hpp"
#include "oracles.hpp"
#include "refusal.hpp"
#include "samples.hpp"

using namespace likewise;

namespace {

Mechanism on_graph(const Matrix<double>& weights, Normalization normalization) {
  return {.kernel = Indicator{},
          .support = Graph{SparseMatrix<double>(weights.sparseView()), "given"},
          .normalization = normalization};
}

Matrix<double> random_weights(Index n, unsigned seed) { return samples::normal(n, n, seed).cwiseAbs(); }

Matrix<double> symmetric_part(const Matrix<double>& A) { return A + A.transpose(); }

/// F_u = (I - P_uu)^-1 P_ul V_l by rows of the identity where clamped.
Matrix<double> harmonic(const Matrix<double>& P, const Matrix<double>& V, const std::vector<bool>& clamped) {
  Eigen::MatrixXd A = Eigen::MatrixXd::Identity(P.rows(), P.rows()) - P;
  Eigen::MatrixXd b = Eigen::MatrixXd::Zero(V.rows(), V.cols());
  for (Index i = 0; i < P.rows(); ++i)
    if (clamped[static_cast<std::size_t>(i)]) {
      A.row(i) = Eigen::RowVectorXd::Unit(P.rows(), i);
      b.row(i) = V.row(i);
    }
  return oracles::solve(A, b);
}

std::vector<bool> every(Index n, Index step) {
  std::vector<bool> rows(static_cast<std::size_t>(n));
  for (std::size_t i = 0; i < rows.size(); i += static_cast<std::size_t>(step)) rows[i] = true;
  return rows;
}

/// 0 - 1 - ... - (n-1), each step as likely to the left as to the right.
Matrix<double> path(Index n) {
  Matrix<double> A = Matrix<double>::Zero(n, n);
  for (Index i = 0; i + 1 < n; ++i) A(i, i + 1) = A(i + 1, i) = 1;
  return A;
}

}  // namespace

TEST_CASE("clamped equilibria solve (I - P_uu) F_u = P_ul V_l", "[equilibrium]") {
  const Index n = 40;
  const Matrix<double> X = samples::normal(n, 3, 1), V = samples::normal(n, 2, 2);
  const std::vector<bool> clamped = every(n, 7);
  const bool directed = GENERATE(false, true);
  const Matrix<double> W = directed ? random_weights(n, 3) : symmetric_part(random_weights(n, 3));
  const Normalization normalization = GENERATE(Normalization(RowStochastic{}), Normalization(Density{0.5}),
                                               Normalization(Symmetric{}), Normalization(RowStochastic{0.5}));
  const SelfOperator<double> P = on_graph(W, normalization).self_operator(X);
  const Matrix<double> want = harmonic(P.dense(), V, clamped);
  for (const std::string solver : {"auto", "cg", "bicgstab", "direct", "iterate"}) {
    CAPTURE(solver, directed, repr(P.mechanism()));
    if (solver == "cg" && directed) {
      CHECK_THROWS_AS(clamped_equilibrium<double>(P, V, clamped, {.solver = solver}), InvalidArgument);
      continue;
    }
    const auto got = clamped_equilibrium<double>(P, V, clamped, {.solver = solver, .tol = 1e-12});
    CHECK(got.report.converged);
    CHECK(got.report.residual <= 1e-11);
    CHECK((got.values - want).cwiseAbs().maxCoeff() < 1e-9);
  }
}

TEST_CASE("soft equilibria solve (I - alpha P) F = (1 - alpha) V", "[equilibrium]") {
  const Index n = 40;
  const double alpha = GENERATE(0.2, 0.95);
  const Matrix<double> X = samples::normal(n, 3, 3), V = samples::normal(n, 2, 4);
  const bool directed = GENERATE(false, true);
  const Matrix<double> W = directed ? random_weights(n, 5) : symmetric_part(random_weights(n, 5));
  const SelfOperator<double> P =
      on_graph(W, directed ? Normalization(RowStochastic{}) : Normalization(Symmetric{})).self_operator(X);
  const Eigen::MatrixXd A = Eigen::MatrixXd::Identity(n, n) - alpha * P.dense();
  const Eigen::MatrixXd want = oracles::solve(A, (1 - alpha) * V);
  for (const std::string solver : {"auto", "bicgstab", "direct", "iterate"}) {
    CAPTURE(solver, directed, alpha);
    const auto got = soft_equilibrium<double>(P, V, alpha, {.solver = solver, .tol = 1e-12});
    CHECK(got.report.converged);
    CHECK((got.values - want).cwiseAbs().maxCoeff() < 1e-9);
  }
}

TEST_CASE("storages give the same equilibrium, float32 as closely as it can", "[equilibrium]") {
  const Index n = 90;
  const Matrix<double> X = samples::normal(n, 2, 5), V = samples::normal(n, 3, 6);
  const std::vector<bool> clamped = every(n, 9);
  const Mechanism m{SquaredEuclidean{}, Gaussian{0.4}, AllPairs{}, RowStochastic{}};
  const Matrix<double> want = harmonic(m.self_operator(X).dense(), V, clamped);
  for (const std::string storage : {"streamed", "dense", "sparse"}) {
    CAPTURE(storage);
    const auto P = m.self_operator(X, {.storage = storage});
    const auto got = clamped_equilibrium<double>(P, V, clamped, {.tol = 1e-12});
    CHECK((got.values - want).cwiseAbs().maxCoeff() < 1e-9);
    const auto Pf = m.self_operator(X.cast<float>(), {.storage = storage});
    const auto got_f = clamped_equilibrium<float>(Pf, V.cast<float>(), clamped);
    CHECK(got_f.report.converged);
    CHECK((got_f.values.cast<double>() - want).cwiseAbs().maxCoeff() < 1e-3);
  }
}

TEST_CASE("solving converges where iteration needs thousands of steps", "[equilibrium]") {
  // A path with its ends clamped to 0 and 1: the harmonic function is the straight line.
  const Index n = 101;
  const Matrix<double> X = Matrix<double>::Zero(n, 1);
  const SelfOperator<double> P = on_graph(path(n), RowStochastic{}).self_operator(X);
  Matrix<double> V = Matrix<double>::Zero(n, 1);
  V(n - 1, 0) = 1;
  std::vector<bool> clamped(static_cast<std::size_t>(n));
  clamped.front() = clamped.back() = true;
  const Vector<double> line = Vector<double>::LinSpaced(n, 0, 1);

  const auto solved = clamped_equilibrium<double>(P, V, clamped);
  CHECK(solved.report.solver == "cg");
  CHECK(solved.report.n_iter <= 110);
  CHECK((solved.values - line).cwiseAbs().maxCoeff() < 1e-9);

  const auto iterated = clamped_equilibrium<double>(P, V, clamped, {.solver = "iterate", .max_iter = 1000});
  CHECK_FALSE(iterated.report.converged);
  CHECK((iterated.values - line).cwiseAbs().maxCoeff() > 0.1);
  CHECK_THROWS_AS(clamped_equilibrium<double>(
                      P, V, clamped, {.solver = "iterate", .max_iter = 1000, .throw_if_not_converged = true}),
                  NotConverged);
}

TEST_CASE("links far below rounding still carry values", "[equilibrium]") {
  // Two points that speak almost only to each other, and by 1e-30 to the clamped ends: residuals are no help.
  Matrix<double> A = Matrix<double>::Zero(4, 4);
  A(0, 1) = A(1, 0) = 3e-30;
  A(1, 2) = A(2, 1) = 1;
  A(2, 3) = A(3, 2) = 1e-30;
  const SelfOperator<double> P =
      on_graph(A, RowStochastic{}).self_operator(Matrix<double>(Matrix<double>::Zero(4, 1)));
  Matrix<double> V(4, 1);
  V << 1, 0, 0, 0;
  const auto got = clamped_equilibrium<double>(P, V, {true, false, false, true});
  CHECK(got.report.converged);
  CHECK(got.report.solver == "direct");
  CHECK(got.values(1, 0) == Approx(0.75));
  CHECK(got.values(2, 0) == Approx(0.75));
}

TEST_CASE("rows that no clamped row reaches are reported and 0", "[equilibrium]") {
  // 0 -> 1 -> 2, 3 - 4; 2 is clamped. 5 is alone.
  Matrix<double> A = Matrix<double>::Zero(6, 6);
  A(0, 1) = A(1, 2) = A(2, 0) = A(3, 4) = A(4, 3) = 1;
  const Matrix<double> X = Matrix<double>::Zero(6, 1), V = Matrix<double>::Constant(6, 1, 2);
  const std::vector<bool> clamped{false, false, true, false, false, false},
      want{false, false, false, true, true, true};
  for (const std::string storage : {"sparse", "dense"}) {
    const auto P = on_graph(A, RowStochastic{}).self_operator(X, {.storage = storage});
    const auto got = clamped_equilibrium<double>(P, V, clamped);
    CHECK(got.unreached == want);
    CHECK(got.values.col(0).transpose() == Eigen::RowVectorXd{{2, 2, 2, 0, 0, 0}});
  }
  // Streamed: two groups of a compact kernel, a chain of five steps in each.
  Matrix<double> Z(12, 1);
  Z << 0, 1, 2, 3, 4, 5, 20, 21, 22, 23, 24, 25;
  std::vector<bool> first(12);
  first[0] = true;
  const Mechanism m{Euclidean{}, Epanechnikov{1.5}, AllPairs{}, RowStochastic{}};
  for (const std::string storage : {"streamed", "dense"}) {
    const auto P = m.self_operator(Z, {.storage = storage});
    const auto got = clamped_equilibrium<double>(P, Matrix<double>::Ones(12, 1), first);
    for (std::size_t i = 0; i < 12; ++i) {
      CAPTURE(storage, i);
      CHECK(got.unreached[i] == (i >= 6));
    }
    CHECK((got.values.topRows(6).array() - 1).abs().maxCoeff() < 1e-7);
    CHECK(got.values.bottomRows(6).isZero());
  }
}

TEST_CASE("an edge whose weight is 0 in floating point reaches nobody", "[equilibrium]") {
  // Two groups of three: with 3 neighbors each point has one in the other group, of weight exp(-125000) = 0.
  Matrix<double> Z(6, 1);
  Z << 0, 0.1, 0.25, 50, 50.1, 50.25;
  std::vector<bool> first(6);
  first[0] = true;
  const Mechanism m{Euclidean{}, Gaussian{0.1}, Neighbors{3}, RowStochastic{}};
  for (const std::string storage : {"sparse", "dense"}) {
    CAPTURE(storage);
    const auto P = m.self_operator(Z, {.storage = storage});
    CHECK(unreached_rows(P, first) == std::vector<bool>{false, false, false, true, true, true});
  }
}

TEST_CASE("nothing unknown, nothing clamped, no columns, one point", "[equilibrium]") {
  const Matrix<double> X = samples::normal(5, 2, 7), V = samples::normal(5, 2, 8);
  const auto P = Mechanism{.kernel = Gaussian{1.0}}.self_operator(X);
  CHECK(clamped_equilibrium<double>(P, V, std::vector<bool>(5, true)).values == V);
  const auto none = clamped_equilibrium<double>(P, V, std::vector<bool>(5, false));
  CHECK(none.values.isZero());
  CHECK(none.unreached == std::vector<bool>(5, true));
  CHECK(clamped_equilibrium<double>(P, Matrix<double>(5, 0), every(5, 2)).values.cols() == 0);
  CHECK(soft_equilibrium<double>(P, Matrix<double>(5, 0), 0.5).values.cols() == 0);
  const auto one = Mechanism{.kernel = Gaussian{1.0}}.self_operator(Matrix<double>(X.topRows(1)));
  CHECK(soft_equilibrium<double>(one, V.topRows(1), 0.5).values.isApprox(V.topRows(1), 1e-8));
}

TEST_CASE("equilibria refuse what does not fit", "[equilibrium]") {
  const Matrix<double> X = samples::normal(5, 2, 9);
  Matrix<double> V = samples::normal(5, 2, 10);
  const auto P = Mechanism{.kernel = Gaussian{1.0}}.self_operator(X);
  const std::vector<bool> clamped = every(5, 2);
  CHECK(refusal([&] { clamped_equilibrium<double>(P, V.topRows(4), clamped); }).starts_with("V must be"));
  CHECK(refusal([&] { clamped_equilibrium<double>(P, V, every(4, 2)); }).starts_with("clamped must be"));
  CHECK(refusal([&] {
          clamped_equilibrium<double>(P, V, clamped, {.solver = "magic"});
        }).starts_with("solver must be"));
  CHECK(refusal([&] {
          clamped_equilibrium<double>(P, V, clamped, {.max_iter = 0});
        }).starts_with("max_iter must be"));
  CHECK(refusal([&] { soft_equilibrium<double>(P, V, 1.0); }).starts_with("alpha must be"));
  V(0, 0) = std::numeric_limits<double>::quiet_NaN();
  CHECK(refusal([&] { clamped_equilibrium<double>(P, V, clamped); }).starts_with("V must be finite"));
}
