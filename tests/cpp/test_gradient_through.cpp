// Gradients through powers, equilibria and spectra: dense formulas, and central differences along a direction.
#include <functional>

#include <Eigen/LU>

#include <likewise/gradient_through.hpp>
#include <likewise/spectrum.hpp>

#include "catch.hpp"
#include "testing.hpp"

using namespace likewise;

namespace {

constexpr Index n = 14;

const Matrix<double> Z = normal_matrix(n, 3, 1), direction = normal_matrix(n, 3, 2),
                     V = normal_matrix(n, 2, 3), G = normal_matrix(n, 2, 4);

Mechanism gaussian(const Normalization& rule) {
  return {SquaredEuclidean{}, Gaussian{1.3}, AllPairs{}, rule};
}
Mechanism directed() { return {Bilinear{normal_matrix(2, 3, 5), normal_matrix(2, 3, 6)}, Exponential{3.0}}; }

/// The slope of a loss of the points along `direction`.
double slope(const std::function<double(const Matrix<double>&)>& loss) {
  constexpr double step = 1e-6;
  return (loss(Z + step * direction) - loss(Z - step * direction)) / (2 * step);
}
double along(const OperatorGradient<double>& gradient) {
  return (gradient.points.array() * direction.array()).sum();
}
double inner(const Matrix<double>& a, const Matrix<double>& b) { return (a.array() * b.array()).sum(); }

/// F = alpha P F + (1 - alpha) V, by elimination.
Matrix<double> soft(const Mechanism& m, const Matrix<double>& points, double alpha) {
  const Eigen::MatrixXd A =
      Eigen::MatrixXd::Identity(n, n) - alpha * Eigen::MatrixXd(m.self_operator(points).dense());
  return A.partialPivLu().solve(Eigen::MatrixXd((1 - alpha) * V));
}

const std::vector<Normalization> rules{RowStochastic{}, Symmetric{}, Density{1.0}, Bistochastic{}};

}  // namespace

TEST_CASE("gradients through powers", "[gradient_through]") {
  for (const Normalization& rule : rules) {
    CAPTURE(repr(rule));
    const Mechanism m = gaussian(rule);
    const auto loss = [&](const Matrix<double>& points) {
      const Matrix<double> P = m.self_operator(points).dense();
      return inner(G, P * (P * (P * V)));
    };
    const auto P = m.self_operator(Z);
    const OperatorGradient<double> found = power_vjp<double>(P, 3, G, V);
    CHECK(along(found) == Approx(slope(loss)).epsilon(1e-5).margin(1e-7));
    const Matrix<double> dense = P.dense();
    CHECK((found.values - dense.transpose() * (dense.transpose() * (dense.transpose() * G))).norm() < 1e-11);
    CHECK(power_vjp<double>(P, 0, G, V).values == G);
  }
}

TEST_CASE("gradients through equilibria", "[gradient_through]") {
  for (const Normalization& rule : rules) {
    CAPTURE(repr(rule));
    const Mechanism m = gaussian(rule);
    const auto loss = [&](const Matrix<double>& points) { return inner(G, soft(m, points, 0.8)); };
    const auto found = soft_equilibrium_vjp<double>(m.self_operator(Z), G, soft(m, Z, 0.8), 0.8);
    CHECK(found.report.converged);
    CHECK(along(found.gradient) == Approx(slope(loss)).epsilon(1e-5).margin(1e-7));
  }
}

TEST_CASE("elimination and GMRES agree where there is no symmetric form", "[gradient_through]") {
  const Mechanism m = directed();
  const auto P = m.self_operator(Z);
  const auto loss = [&](const Matrix<double>& points) { return inner(G, soft(m, points, 0.9)); };
  for (const Index eliminate_up_to : {Index{1000}, Index{0}}) {
    CAPTURE(eliminate_up_to);
    const auto found =
        soft_equilibrium_vjp<double>(P, G, soft(m, Z, 0.9), 0.9, {.eliminate_up_to = eliminate_up_to});
    CHECK(found.report.converged);
    CHECK(!found.singular);
    CHECK(along(found.gradient) == Approx(slope(loss)).epsilon(1e-5));
  }
}

TEST_CASE("clamped and unreached rows ask for nothing else", "[gradient_through]") {
  const auto P = gaussian(RowStochastic{}).self_operator(Z);
  const Eigen::MatrixXd A = P.dense();
  std::vector<bool> clamped(n), unreached(n);
  std::vector<Index> free;
  for (std::size_t i = 0; i < static_cast<std::size_t>(n); ++i) {
    clamped[i] = i % 3 == 0;
    unreached[i] = i == 4;
    if (!clamped[i] && !unreached[i]) free.push_back(static_cast<Index>(i));
  }
  const Eigen::MatrixXd system = Eigen::MatrixXd::Identity(std::ssize(free), std::ssize(free))
                                 - Eigen::MatrixXd(A(free, free)).transpose();
  Eigen::MatrixXd m = Eigen::MatrixXd::Zero(n, 2);
  const Eigen::MatrixXd solved = system.partialPivLu().solve(Eigen::MatrixXd(G(free, Eigen::all)));
  m(free, Eigen::all) = solved;
  const Eigen::MatrixXd want = G + A.transpose() * m;
  const auto found = clamped_equilibrium_vjp<double>(P, G, V, clamped, unreached);
  for (Index i = 0; i < n; ++i) {
    CAPTURE(i);
    if (clamped[static_cast<std::size_t>(i)])
      CHECK((found.gradient.values.row(i) - want.row(i)).norm() < 1e-8);
    else
      CHECK(found.gradient.values.row(i).norm() == 0);
  }
}

TEST_CASE("gradients through spectra, and coinciding eigenvalues", "[gradient_through]") {
  const Vector<double> by_w = normal_matrix(3, 1, 7).col(0);
  const Matrix<double> by_v = normal_matrix(n, 3, 8);
  for (const Normalization& rule : rules) {
    CAPTURE(repr(rule));
    const Mechanism m = gaussian(rule);
    const auto P = m.self_operator(Z);
    const auto pairs = largest_eigenpairs(P, 3);
    const auto loss = [&](const Matrix<double>& points) {
      auto got = largest_eigenpairs(m.self_operator(points), 3, {.tol = 1e-13});
      for (Index k = 0; k < 3; ++k)
        if (got.vectors.col(k).dot(pairs.vectors.col(k)) < 0) got.vectors.col(k) *= -1;
      return by_w.dot(got.values) + inner(by_v, got.vectors);
    };
    const auto found = eigen_vjp<double>(P, pairs.values, pairs.vectors, by_w, by_v);
    CHECK(found.report.converged);
    CHECK(along(found.gradient) == Approx(slope(loss)).epsilon(2e-4));
    CHECK(found.gradient.values.size() == 0);
  }
  const Matrix<double> twice = (Matrix<double>(4, 1) << 0, 0.5, 100, 100.5).finished();
  const auto P = gaussian(RowStochastic{}).self_operator(twice);  // two components: 1 comes twice
  const auto pairs = largest_eigenpairs(P, 2);
  CHECK(contains(refusal([&] {
                   eigen_vjp<double>(P, pairs.values, pairs.vectors, Vector<double>::Ones(2),
                                     Matrix<double>::Zero(4, 2));
                 }),
                 "eigenvalues 0 and 1, 1 and 1, coincide"));
}
