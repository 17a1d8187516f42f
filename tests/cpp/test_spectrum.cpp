// Spectra against closed forms; eigenvalues are counted, as residuals alone pass when a copy is lost.
#include <cmath>
#include <random>

#include <likewise/spectrum.hpp>

#include "catch.hpp"
#include "oracles.hpp"

using namespace likewise;

namespace {

constexpr double pi = 3.14159265358979323846;

Matrix<double> ring(Index n) {
  Matrix<double> X(n, 2);
  for (Index i = 0; i < n; ++i) {
    const double angle = 2 * pi * static_cast<double>(i) / static_cast<double>(n);
    X.row(i) << std::cos(angle), std::sin(angle);
  }
  return X;
}

/// Eigenvalues of the circulant row-stochastic Gaussian matrix on the ring: its discrete Fourier transform.
Vector<double> ring_eigenvalues(Index n, double h) {
  Vector<double> row(n), values(n);
  for (Index j = 0; j < n; ++j) {
    const double chord = 2 * std::sin(pi * static_cast<double>(j) / static_cast<double>(n));
    row(j) = std::exp(-chord * chord / (2 * h * h));
  }
  for (Index m = 0; m < n; ++m) {
    double sum = 0;
    for (Index j = 0; j < n; ++j)
      sum += row(j) * std::cos(2 * pi * static_cast<double>(m * j % n) / static_cast<double>(n));
    values(m) = sum / row.sum();
  }
  std::sort(values.begin(), values.end(), std::greater<>());
  return values;
}

Matrix<double> blobs(Index n_blobs, Index n_each, double distance, unsigned seed = 1) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  Matrix<double> X(n_blobs * n_each, 2);
  for (Index i = 0; i < X.rows(); ++i)
    X.row(i) << normal(random) + distance * static_cast<double>(i % n_blobs), normal(random);
  return X;
}

Index count_near(const Vector<double>& values, double target, double tol) {
  return ((values.array() - target).abs() <= tol).count();
}

/// P v = w v, descending w, and V^T diag(pi) V = I for the stationary law pi: what any answer must satisfy.
template <class T> void check_eigenpairs(const SelfOperator<T>& P, const Eigenpairs<T>& s, double tol) {
  const Matrix<double> V = s.vectors.template cast<double>();
  const Matrix<double> PV = P.dense().template cast<double>() * V;
  CHECK((PV - V * s.values.asDiagonal()).cwiseAbs().maxCoeff() < tol * V.cwiseAbs().maxCoeff());
  for (Index j = 1; j < s.values.size(); ++j) CHECK(s.values(j) <= s.values(j - 1));
  Vector<double> weight = P.log_stationary().array().exp();
  if (std::holds_alternative<Symmetric>(P.mechanism().normalization))
    weight.setOnes();
  else
    weight /= weight.sum();
  const Matrix<double> gram = V.transpose() * weight.asDiagonal() * V;
  CHECK((gram - Matrix<double>::Identity(gram.rows(), gram.cols())).cwiseAbs().maxCoeff() < tol);
  for (Index j = 0; j < V.cols(); ++j) {
    Index i = 0;
    const double largest = V.col(j).cwiseAbs().maxCoeff(&i);
    CHECK(V.col(j).maxCoeff() >= (1 - 1e-5) * largest);
  }
}

SparseMatrix<double> sparse_of(Index n, const std::vector<std::pair<int, int>>& edges) {
  std::vector<Eigen::Triplet<double>> entries;
  for (const auto& [i, j] : edges) {
    entries.emplace_back(i, j, 1.0);
    if (i != j) entries.emplace_back(j, i, 1.0);
  }
  SparseMatrix<double> A(n, n);
  A.setFromTriplets(entries.begin(), entries.end());
  return A;
}

}  // namespace

TEST_CASE("the ring's spectrum is a Fourier transform", "[spectrum]") {
  const double h = 0.5;
  const auto solver = GENERATE(std::string("dense"), std::string("lanczos"));
  const auto P = Mechanism{Euclidean{}, Gaussian{h}}.self_operator(ring(64));
  const Eigenpairs<double> s = largest_eigenpairs(P, 7, {.tol = 1e-13, .solver = solver});
  CHECK((s.values - ring_eigenvalues(64, h).head(7)).cwiseAbs().maxCoeff() < 1e-13);
  CHECK((s.vectors.col(0).array() - 1).abs().maxCoeff() < 1e-12);
  CHECK(s.report.solver == solver);
  CHECK(s.residuals.maxCoeff() < 1e-12);
  check_eigenpairs(P, s, 1e-11);
}

TEST_CASE("all eigenvalues of the ring", "[spectrum]") {
  const auto P = Mechanism{Euclidean{}, Gaussian{0.3}}.self_operator(ring(33));
  const Eigenpairs<double> s = largest_eigenpairs(P, 33);
  CHECK((s.values - ring_eigenvalues(33, 0.3)).cwiseAbs().maxCoeff() < 1e-13);
  check_eigenpairs(P, s, 1e-10);
}

TEST_CASE("uniform sphere: spherical harmonics with their multiplicities", "[spectrum]") {
  // Gauss-Legendre in the height (Golub and Welsch) times equal angles: exact for harmonics of low degree.
  constexpr Index n_heights = 14, n_angles = 28;
  Eigen::MatrixXd jacobi = Eigen::MatrixXd::Zero(n_heights, n_heights);
  for (Index i = 1; i < n_heights; ++i) {
    const double k = static_cast<double>(i);
    jacobi(i, i - 1) = jacobi(i - 1, i) = k / std::sqrt(4 * k * k - 1);
  }
  const oracles::Eigenpairs legendre = oracles::symmetric_eigenpairs(jacobi);
  Matrix<double> X(n_heights * n_angles, 3);
  Vector<double> log_weights(X.rows());
  for (Index i = 0; i < X.rows(); ++i) {
    const double z = legendre.values(i / n_angles), r = std::sqrt(1 - z * z);
    const double angle = 2 * pi * static_cast<double>(i % n_angles) / n_angles;
    X.row(i) << r * std::cos(angle), r * std::sin(angle), z;
    log_weights(i) = 2 * std::log(std::abs(legendre.vectors(0, i / n_angles)));
  }
  // Eigenvalue l of exp(<x,y>/eps): i_l(1/eps)/i_0(1/eps), modified spherical Bessel functions.
  const double eps = 0.4, x = 1 / eps;
  std::vector<double> bessel{std::sinh(x) / x, (x * std::cosh(x) - std::sinh(x)) / (x * x)};
  for (int l = 1; l < 4; ++l)
    bessel.push_back(bessel[std::size_t(l) - 1] - (2 * l + 1) / x * bessel[std::size_t(l)]);

  const auto solver = GENERATE(std::string("dense"), std::string("lanczos"));
  const auto P = Mechanism{DotProduct{}, Exponential{eps}}.self_operator(X, {.log_key_weights = log_weights});
  const Eigenpairs<double> s = largest_eigenpairs(P, 25, {.tol = 1e-12, .solver = solver});
  Index at = 0;
  for (int l = 0; l <= 4; ++l) {
    const double want = bessel[std::size_t(l)] / bessel[0];
    CHECK(count_near(s.values, want, 1e-12) == 2 * l + 1);
    for (int m = -l; m <= l; ++m, ++at) CHECK(s.values(at) == Approx(want).margin(1e-12));
  }
  check_eigenpairs(P, s, 1e-9);
}

TEST_CASE("Ornstein-Uhlenbeck: powers of one number under every density alpha", "[spectrum]") {
  const double sigma = 1, eps = 0.25, step = 0.2, reach = 16;
  const Index n = 161;
  Matrix<double> X(n, 1);
  for (Index i = 0; i < n; ++i) X(i, 0) = step * static_cast<double>(i) - reach;
  const Vector<double> log_density = -0.5 * X.col(0).array().square() / (sigma * sigma);
  const auto alpha = GENERATE(0.0, 0.5, 1.0);
  const double inverse_tau2 = 1 / (sigma * sigma) - alpha / (sigma * sigma + eps);

  const auto P =
      Mechanism{SquaredEuclidean{}, Gaussian{std::sqrt(eps)}, AllPairs{}, Density{alpha}}.self_operator(
          X, {.log_key_weights = log_density});
  const Eigenpairs<double> s = largest_eigenpairs(P, 5);
  for (Index k = 0; k < 5; ++k)
    CHECK(s.values(k) == Approx(std::pow(1 + eps * inverse_tau2, -static_cast<double>(k))).margin(1e-10));
  // The first Hermite function is linear; its sign is fixed.
  const Index middle = n / 2;
  const double slope = (s.vectors(middle + 20, 1) - s.vectors(middle, 1)) / 2;
  CHECK(std::abs(s.vectors(middle + 10, 1) - slope) < 1e-9);
}

TEST_CASE("a graph of three parts has eigenvalue 1 three times", "[spectrum]") {
  const auto normalization = GENERATE(Normalization{RowStochastic{}}, Normalization{Symmetric{}},
                                      Normalization{Density{1}}, Normalization{Bistochastic{.tol = 1e-12}});
  const auto solver = GENERATE(std::string("dense"), std::string("lanczos"));
  const Matrix<double> X = blobs(3, 100, 1000);
  const Mechanism m{Euclidean{}, Gaussian{1.0}, Neighbors{.n_neighbors = 8, .include_self = true},
                    normalization};
  const auto P = m.self_operator(X);
  const Eigenpairs<double> s = largest_eigenpairs(P, 9, {.tol = 1e-12, .solver = solver});
  CHECK(s.n_components == 3);
  CHECK(count_near(s.values, 1, 1e-12) == 3);
  const Vector<double> want = oracles::eigenvalues(P.dense());
  CHECK((s.values - want.head(9)).cwiseAbs().maxCoeff() < 1e-9);
  check_eigenpairs(P, s, 1e-8);
  // Vector 0 belongs to the whole walk: positive everywhere, constant where rows sum to 1.
  CHECK(s.vectors.col(0).minCoeff() > 0);
  if (!std::holds_alternative<Symmetric>(normalization))
    CHECK((s.vectors.col(0).array() - 1).abs().maxCoeff() < 1e-9);
}

TEST_CASE("numerically disconnected clusters of a streamed operator are all found", "[spectrum]") {
  // Copies of one cluster; weights between them are about 1e-20, not 0. No graph tells them apart, every
  // eigenvalue repeats six times, and a Krylov space holds one of them.
  const Matrix<double> one = blobs(1, 100, 0);
  Matrix<double> X(600, 2);
  for (Index i = 0; i < 600; ++i)
    X.row(i) << one(i / 6, 0) + 20.0 * static_cast<double>(i % 6), one(i / 6, 1);
  const auto P = Mechanism{Euclidean{}, Gaussian{1.5}}.self_operator(X, {.storage = "streamed"});
  const Execution small{.memory_limit = 8u << 20};  // too little to store 600 x 600 numbers beside the rest
  const bool streamed = GENERATE(true, false);
  const Index k = GENERATE(3, 5, 12);
  const Eigenpairs<double> s =
      largest_eigenpairs(P, k, {.tol = 1e-7, .solver = "lanczos"}, streamed ? small : Execution{});
  CHECK(s.n_components == 1);
  CHECK(count_near(s.values, 1, 1e-8) == std::min<Index>(k, 6));
  const Eigenpairs<double> dense = largest_eigenpairs(P, k, {.solver = "dense"});
  CHECK((s.values - dense.values).cwiseAbs().maxCoeff() < 1e-8);
  check_eigenpairs(P, s, 1e-5);
}

TEST_CASE("entries of a dense operator beyond double precision split it", "[spectrum]") {
  const auto P = Mechanism{Euclidean{}, Gaussian{1.0}}.self_operator(blobs(4, 20, 1e4));
  REQUIRE(P.storage() == "dense");
  const Eigenpairs<double> s = largest_eigenpairs(P, 6);
  CHECK(s.n_components == 4);
  CHECK(count_near(s.values, 1, 1e-13) == 4);
  check_eigenpairs(P, s, 1e-10);
}

TEST_CASE("one component for each point", "[spectrum]") {
  const Matrix<double> X = ring(10);
  std::vector<std::pair<int, int>> loops;
  for (int i = 0; i < 10; ++i) loops.emplace_back(i, i);
  const auto P = Mechanism{Euclidean{}, Gaussian{1.0}, Graph{sparse_of(10, loops)}}.self_operator(X);
  for (const Index k : {1, 4, 10}) {
    const Eigenpairs<double> s = largest_eigenpairs(P, k);
    CHECK(s.n_components == 10);
    CHECK(count_near(s.values, 1, 0) == k);
    check_eigenpairs(P, s, 1e-13);
  }
}

TEST_CASE("components are numbered by first appearance, directions ignored, stored zeros no edges",
          "[spectrum]") {
  SparseMatrix<double> A(6, 6);
  A.insert(0, 4) = 1;
  A.insert(3, 1) = 2;
  A.insert(1, 5) = 0;
  CHECK(connected_components(A) == std::vector<Index>{0, 1, 2, 1, 0, 3});
  CHECK_THROWS_AS(connected_components(SparseMatrix<double>(2, 3)), InvalidArgument);
}

TEST_CASE("float32 keeps its dtype and six digits", "[spectrum]") {
  const auto storage = GENERATE(std::string("dense"), std::string("streamed"));
  const auto solver = GENERATE(std::string("dense"), std::string("lanczos"));
  const auto P = Mechanism{Euclidean{}, Gaussian{0.5}}.self_operator(Matrix<float>(ring(64).cast<float>()),
                                                                     {.storage = storage});
  const Eigenpairs<float> s = largest_eigenpairs(P, 7, {.solver = solver});
  CHECK((s.values - ring_eigenvalues(64, 0.5).head(7)).cwiseAbs().maxCoeff() < 1e-6);
  check_eigenpairs(P, s, 1e-4);
}

TEST_CASE("points without measure follow from the others", "[spectrum]") {
  Matrix<double> X = ring(12);
  Vector<double> log_weights = Vector<double>::Zero(12);
  log_weights(3) = -std::numeric_limits<double>::infinity();  // padding: hears the others, is not heard
  const auto P = Mechanism{Euclidean{}, Gaussian{0.5}}.self_operator(X, {.log_key_weights = log_weights});
  const Eigenpairs<double> s = largest_eigenpairs(P, 5);
  const Matrix<double> PV = P.dense() * s.vectors;
  CHECK((PV - s.vectors * s.values.asDiagonal()).cwiseAbs().maxCoeff() < 1e-12);
  CHECK(s.vectors(3, 0) == Approx(1).margin(1e-12));
}

TEST_CASE("an unnormalized operator has its own scale", "[spectrum]") {
  const Matrix<double> X = blobs(1, 300, 0);
  const auto P = Mechanism{Euclidean{}, Gaussian{1.0}, AllPairs{}, Unnormalized{}}.self_operator(X);
  const oracles::Eigenpairs oracle = oracles::symmetric_eigenpairs(P.dense());
  const Eigenpairs<double> s = largest_eigenpairs(P, 5, {.tol = 1e-12, .solver = "lanczos"});
  CHECK((s.values - oracle.values.tail(5).reverse()).cwiseAbs().maxCoeff() < 1e-10 * s.values(0));
  const Matrix<double> gram = s.vectors.transpose() * s.vectors;
  CHECK((gram - Matrix<double>::Identity(5, 5)).cwiseAbs().maxCoeff() < 1e-10);
}

TEST_CASE("spectra refuse what they cannot do", "[spectrum]") {
  const Matrix<double> X = ring(10);
  const auto P = Mechanism{Euclidean{}, Gaussian{0.5}}.self_operator(X);
  CHECK_THROWS_WITH(largest_eigenpairs(P, 11), Catch::Contains("k must be an int in [1, 10]"));
  CHECK_THROWS_AS(largest_eigenpairs(P, 0), InvalidArgument);
  CHECK_THROWS_WITH(largest_eigenpairs(P, 2, {.solver = "qr"}), Catch::Contains("solver"));
  const auto directed = Mechanism{Euclidean{}, Gaussian{0.5}, Causal{}}.self_operator(X);
  CHECK_THROWS_WITH(largest_eigenpairs(directed, 2), Catch::Contains("symmetric support"));
}

TEST_CASE("a Lanczos run without convergence says so", "[spectrum]") {
  const auto P = Mechanism{Euclidean{}, Gaussian{0.5}}.self_operator(blobs(1, 600, 0));
  SpectrumOptions options{.tol = 1e-14, .max_iter = 1, .solver = "lanczos"};
  const Eigenpairs<double> s = largest_eigenpairs(P, 5, options);
  CHECK_FALSE(s.report.converged);
  CHECK(s.report.certificate.empty());
  CHECK(s.values.size() == 5);
  CHECK(s.report.residual > 1e-14);
  options.throw_if_not_converged = true;
  CHECK_THROWS_AS(largest_eigenpairs(P, 5, options), NotConverged);
}

TEST_CASE("spectra do not depend on the number of threads", "[spectrum]") {
  const auto P =
      Mechanism{Euclidean{}, Gaussian{1.0}, Neighbors{.n_neighbors = 10}}.self_operator(blobs(2, 400, 3));
  const Eigenpairs<double> one = largest_eigenpairs(P, 4, {}, {.n_jobs = 1});
  const Eigenpairs<double> two = largest_eigenpairs(P, 4, {}, {.n_jobs = 2});
  CHECK(one.values == two.values);
  CHECK(one.vectors == two.vectors);
}
