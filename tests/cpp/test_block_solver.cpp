// The filtered block solver against dense decompositions and known multiplicities, and the sparse pieces below it.

#include <algorithm>
#include <random>

#include <likewise/simd_target.hpp>
#include <likewise/spectrum.hpp>

#include "catch.hpp"
#include "engine/block_products.hpp"
#include "engine/terms/aligned_rows.hpp"
#include "operator/csr.hpp"
#include "testing.hpp"

using namespace likewise;

namespace {

using Triplets = std::vector<Eigen::Triplet<double>>;

SparseMatrix<double> from_triplets(Index rows, Index cols, const Triplets& entries) {
  SparseMatrix<double> A(rows, cols);
  A.setFromTriplets(entries.begin(), entries.end());
  return A;
}

/// A symmetric graph: each point with `degree` random others of its own part.
SparseMatrix<double> random_graph(Index n, int degree, Index n_parts, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> weight(0.1, 1);
  Triplets entries;
  for (Index i = 0; i < n; ++i)
    for (int e = 0; e < degree; ++e) {
      const Index size = n / n_parts,
                  j = i % n_parts + n_parts * static_cast<Index>(random() % static_cast<unsigned>(size));
      const double w = weight(random);
      entries.emplace_back(static_cast<int>(i), static_cast<int>(j), w);
      entries.emplace_back(static_cast<int>(j), static_cast<int>(i), w);
    }
  return from_triplets(n, n, entries);
}

/// Corners of `copies` cubes of that dimension, neighbors along each axis.
SparseMatrix<double> cubes(int dimension, Index copies) {
  const Index size = Index{1} << dimension;
  Triplets entries;
  for (Index i = 0; i < copies * size; ++i)
    for (int axis = 0; axis < dimension; ++axis)
      entries.emplace_back(static_cast<int>(i), static_cast<int>(i ^ (Index{1} << axis)), 1.0);
  return from_triplets(copies * size, copies * size, entries);
}

SelfOperator<double> operator_of(const SparseMatrix<double>& A, const Normalization& rule) {
  const Mechanism m{.kernel = Indicator{}, .support = Graph{A, "given"}, .normalization = rule};
  return m.self_operator(Matrix<double>(Matrix<double>::Zero(A.rows(), 1)));
}

Index count_near(const Vector<double>& values, double target) {
  return ((values.array() - target).abs() < 1e-9).count();
}

/// Entries with columns in any order, some twice, some 0.
Triplets untidy_entries(Index rows, Index cols, unsigned seed) {
  std::mt19937 random(seed);
  Triplets entries;
  for (Index i = 0; i < rows; ++i)
    for (auto e = random() % 9; e > 0; --e)
      entries.emplace_back(static_cast<int>(i), static_cast<int>(random() % static_cast<unsigned>(cols)),
                           static_cast<double>(random() % 4));
  return entries;
}

template <class T> void check_same(const SparseMatrix<T>& A, const SparseMatrix<T>& B) {
  REQUIRE(A.rows() == B.rows());
  REQUIRE(A.nonZeros() == B.nonZeros());
  CHECK(std::equal(A.outerIndexPtr(), A.outerIndexPtr() + A.rows() + 1, B.outerIndexPtr()));
  CHECK(std::equal(A.innerIndexPtr(), A.innerIndexPtr() + A.nonZeros(), B.innerIndexPtr()));
  CHECK(std::equal(A.valuePtr(), A.valuePtr() + A.nonZeros(), B.valuePtr()));
}

}  // namespace

TEST_CASE("the block solver finds what a dense one finds on random graphs", "[block_solver]") {
  const auto n_parts = GENERATE(Index{1}, Index{3});
  const auto normalization =
      GENERATE(Normalization{Symmetric{}}, Normalization{RowStochastic{}}, Normalization{Unnormalized{}});
  const auto k = GENERATE(Index{1}, Index{5}, Index{30});
  const SelfOperator<double> P = operator_of(random_graph(450, 3, n_parts, 4), normalization);
  const Eigenpairs<double> dense = largest_eigenpairs(P, k, {.solver = "dense"});
  const Eigenpairs<double> s = largest_eigenpairs(P, k, {.tol = 1e-11, .solver = "chebyshev"});
  CHECK(s.report.solver == "chebyshev");
  CHECK(s.report.converged);
  CHECK(s.n_components == n_parts);
  CHECK((s.values - dense.values).cwiseAbs().maxCoeff() < 1e-10 * dense.values(0));
  CHECK(s.residuals.maxCoeff() < 1e-10 * dense.values(0));
  const Matrix<double> image = P.apply(s.vectors);
  CHECK((image - s.vectors * s.values.asDiagonal()).norm() < 1e-8 * s.vectors.norm());
}

TEST_CASE("the cube's eigenvalues come as often as binomials say", "[block_solver]") {
  const Index copies = GENERATE(Index{1}, Index{2});  // 1 - 2 j/9, (9 over j) times each
  const SelfOperator<double> P = operator_of(cubes(9, copies), RowStochastic{});
  const Eigenpairs<double> s = largest_eigenpairs(P, 46 * copies, {.tol = 1e-11, .solver = "chebyshev"});
  CHECK(s.report.converged);
  CHECK(s.n_components == copies);
  CHECK(count_near(s.values, 1) == copies);
  CHECK(count_near(s.values, 1 - 2.0 / 9) == 9 * copies);
  CHECK(count_near(s.values, 1 - 4.0 / 9) == 36 * copies);
  const Matrix<double> gram = s.vectors.transpose() * s.vectors / static_cast<double>(P.rows());
  CHECK((gram - Matrix<double>::Identity(gram.rows(), gram.cols())).cwiseAbs().maxCoeff() < 1e-8);
}

TEST_CASE("a part of a repeated eigenvalue is as good as another", "[block_solver]") {
  const SelfOperator<double> P = operator_of(cubes(9, 1), RowStochastic{});
  const Eigenpairs<double> s = largest_eigenpairs(P, 4, {.tol = 1e-11, .solver = "chebyshev"});
  CHECK(s.report.converged);
  CHECK(count_near(s.values, 1 - 2.0 / 9) == 3);
}

TEST_CASE("the block solver multiplies streamed and dense operators too", "[block_solver]") {
  const Matrix<double> X = normal_matrix(500, 2, 3);
  const auto storage = GENERATE(std::string("dense"), std::string("streamed"));
  const auto P = Mechanism{Euclidean{}, Gaussian{0.4}}.self_operator(X, {.storage = storage});
  const Execution small{.memory_limit = 6u << 20};  // too little to store what is streamed
  const Eigenpairs<double> s = largest_eigenpairs(P, 8, {.tol = 1e-10, .solver = "chebyshev"},
                                                  storage == "streamed" ? small : Execution{});
  const Eigenpairs<double> dense = largest_eigenpairs(P, 8, {.solver = "dense"});
  CHECK(s.report.converged);
  CHECK((s.values - dense.values).cwiseAbs().maxCoeff() < 1e-9);
}

TEST_CASE("an operator of low rank fills its block with what has no image", "[block_solver]") {
  Matrix<double> X(600, 1);  // three places: rank 3
  for (Index i = 0; i < 600; ++i) X(i, 0) = static_cast<double>(i % 3);
  const auto P = Mechanism{Euclidean{}, Gaussian{0.7}}.self_operator(X);
  const Eigenpairs<double> s = largest_eigenpairs(P, 5, {.tol = 1e-10, .solver = "chebyshev"});
  const Eigenpairs<double> dense = largest_eigenpairs(P, 5, {.solver = "dense"});
  CHECK(s.report.converged);
  CHECK((s.values - dense.values).cwiseAbs().maxCoeff() < 1e-9);
}

TEST_CASE("the report says which solver ran, and what counted the eigenvalues", "[block_solver]") {
  const auto neighbors = [](const Matrix<double>& X) {
    return Mechanism{Euclidean{}, Gaussian{0.5}, Neighbors{.n_neighbors = 10}}.self_operator(X);
  };
  const auto report = [](const SelfOperator<double>& P, Index k) { return largest_eigenpairs(P, k).report; };
  // A surface has little fill, a cloud in eight dimensions much.
  const Matrix<double> surface = normal_matrix(3000, 2, 5), cloud = normal_matrix(3000, 8, 5);
  CHECK(report(neighbors(surface), 4).solver == "shift_invert");
  CHECK(report(neighbors(surface), 4).certificate == "inertia");
  CHECK(report(neighbors(cloud), 4).solver == "chebyshev");
  CHECK(report(neighbors(cloud), 4).certificate == "probe");
  CHECK(report(neighbors(surface.topRows(80)), 4).certificate == "whole matrix");
  CHECK(report(neighbors(cloud), 1).certificate == "norm");
  const auto all = Mechanism{Euclidean{}, Gaussian{0.5}}.self_operator(Matrix<double>(surface.topRows(700)));
  CHECK(report(all, 4).solver == "lanczos");
  // Ten places: ten eigenvalues hold the whole trace.
  Matrix<double> places(700, 1);
  for (Index i = 0; i < 700; ++i) places(i, 0) = static_cast<double>(i % 10);
  CHECK(report(Mechanism{Euclidean{}, Gaussian{0.5}}.self_operator(places), 10).certificate == "trace");
}

TEST_CASE("every solver finds every copy on cubes, stars and a grid, or says that it did not",
          "[block_solver]") {
  const auto solver = GENERATE(std::string("auto"), std::string("lanczos"), std::string("chebyshev"),
                               std::string("shift_invert"));
  const Index n = 700, side = 24;
  Triplets star, grid;
  for (int i = 1; i < n; ++i) star.insert(star.end(), {{0, i, 1.0}, {i, 0, 1.0}});
  for (int i = 0; i < side * side; ++i)
    for (const int step : {1, static_cast<int>(side)}) {
      const int j = i + step;
      if (j >= side * side || (step == 1 && j % side == 0)) continue;
      grid.insert(grid.end(), {{i, j, 1.0}, {j, i, 1.0}});
    }
  const std::vector<SparseMatrix<double>> graphs{cubes(9, 1), from_triplets(n, n, star),
                                                 from_triplets(side * side, side * side, grid)};
  for (const SparseMatrix<double>& A : graphs)
    for (const Normalization& rule : {Normalization{Symmetric{}}, Normalization{Unnormalized{}}}) {
      const SelfOperator<double> P = operator_of(A, rule);
      const Eigenpairs<double> s = largest_eigenpairs(P, 12, {.solver = solver});
      const Eigenpairs<double> dense = largest_eigenpairs(P, 12, {.solver = "dense"});
      const double scale = dense.values(0);
      INFO(solver << " on " << A.rows() << " nodes, certificate " << s.report.certificate);
      CHECK(s.report.converged);
      CHECK((s.values - dense.values).cwiseAbs().maxCoeff() < 4e-9 * scale);
      CHECK((P.apply(s.vectors) - s.vectors * s.values.asDiagonal()).cwiseAbs().maxCoeff() < 4e-9 * scale);
    }
}

TEST_CASE("a filtered block that loses its rank is no crash", "[block_solver]") {
  // A clique with a pendant node: all eigenvalues but three are -1/(n - 2).
  const int n = 2300;
  Triplets entries{{0, n - 1, 1.0}, {n - 1, 0, 1.0}};
  for (int i = 0; i < n - 1; ++i)
    for (int j = 0; j < n - 1; ++j)
      if (i != j) entries.emplace_back(i, j, 1.0);
  const SelfOperator<double> P = operator_of(from_triplets(n, n, entries), Symmetric{});
  const Eigenpairs<double> s = largest_eigenpairs(P, 5);
  CHECK(s.report.converged);
  CHECK(s.values(1) > 0);  // of the 3 x 3 quotient
  for (Index j = 2; j < 5; ++j) CHECK(s.values(j) == Approx(-1.0 / (n - 2)).margin(1e-9));
  const Eigenpairs<double> few = largest_eigenpairs(P, 5, {.max_iter = 3, .solver = "chebyshev"});
  CHECK(few.values.allFinite());
  if (few.report.converged) CHECK((few.values - s.values).cwiseAbs().maxCoeff() < 1e-8);
}

TEST_CASE("a small spectrum crowded near 1, which Lanczos does not tell apart, is solved whole",
          "[block_solver]") {
  const Matrix<double> X = normal_matrix(240, 3, 5);
  for (const double h : {0.08, 0.12, 0.2, 0.3}) {
    const auto P = Mechanism{Euclidean{}, Gaussian{h}}.self_operator(X);
    const Eigenpairs<double> s = largest_eigenpairs(P, 5);
    CHECK(s.report.converged);
    CHECK(s.residuals.maxCoeff() < 1e-8);
    CHECK((s.values - largest_eigenpairs(P, 5, {.solver = "dense"}).values).cwiseAbs().maxCoeff() < 1e-9);
  }
}

TEST_CASE("filtered eigenpairs are the same for any number of threads", "[block_solver]") {
  const Mechanism m{Euclidean{}, Gaussian{0.3}, Neighbors{.n_neighbors = 12}, Symmetric{}};
  const auto P = m.self_operator(normal_matrix(5000, 3, 6));
  const Eigenpairs<double> one = largest_eigenpairs(P, 6, {.solver = "chebyshev"}, {.n_jobs = 1});
  for (const int n_jobs : {2, 3, 5}) {
    const Eigenpairs<double> more = largest_eigenpairs(P, 6, {.solver = "chebyshev"}, {.n_jobs = n_jobs});
    CHECK(one.values == more.values);
    CHECK(one.vectors == more.vectors);
  }
}

TEST_CASE("a filtered run without convergence says so", "[block_solver]") {
  const auto P = operator_of(random_graph(600, 2, 1, 8), Symmetric{});
  const SpectrumOptions options{
      .tol = 1e-13, .max_iter = 1, .solver = "chebyshev", .throw_if_not_converged = true};
  CHECK_THROWS_AS(largest_eigenpairs(P, 5, options), NotConverged);
}

TEST_CASE("rows written one by one are what triplets give", "[block_solver]") {
  for (const unsigned seed : {1u, 2u, 3u}) {
    const Index rows = seed == 3 ? 5000 : 37, cols = 11 * static_cast<Index>(seed);
    const Triplets entries = untidy_entries(rows, cols, seed);
    std::vector<Triplets> by_row(static_cast<std::size_t>(rows));
    for (const auto& e : entries) by_row[static_cast<std::size_t>(e.row())].push_back(e);
    const auto write = [&](Index i, auto& out) {
      for (const auto& e : by_row[static_cast<std::size_t>(i)]) out.put(e.col(), e.value());
    };
    const SparseMatrix<double> want = from_triplets(rows, cols, entries);
    for (const int n_jobs : {1, 3}) {
      check_same(csr::written<double>(rows, cols, 1e9, {.n_jobs = n_jobs}, write), want);
      check_same(csr::transposed(want, {.n_jobs = n_jobs}), SparseMatrix<double>(want.transpose()));
    }
  }
  check_same(csr::written<double>(0, 4, 1, {}, [](Index, auto&) {}), SparseMatrix<double>(0, 4));
}

TEST_CASE("a large transpose by counting", "[block_solver]") {
  const SparseMatrix<double> A = random_graph(20000, 4, 1, 9).topRows(9000);
  check_same(csr::transposed(A, {.n_jobs = 3}), SparseMatrix<double>(A.transpose()));
}

TEMPLATE_TEST_CASE("sparse products with any number of columns", "[block_solver]", float, double) {
  using T = TestType;
  const SparseMatrix<T> A = from_triplets(61, 43, untidy_entries(61, 43, 5)).template cast<T>();
  for (Index c = 0; c <= 70; ++c) {
    const Matrix<T> X = normal_matrix(43, c, 6).template cast<T>();
    Matrix<T> Y = Matrix<T>::Constant(61, c, T(7));
    engine::sparse_product(A, X.data(), Y.data(), c, {}, "");
    const Matrix<T> want = A * X;
    CHECK((c == 0 || (Y - want).cwiseAbs().maxCoeff() < 64 * std::numeric_limits<T>::epsilon() * 10));
  }
}

TEMPLATE_TEST_CASE("a filter's step may write over what it adds, with any number of columns",
                   "[block_solver]", float, double) {
  using T = TestType;
  const Index n = 61;
  const SparseMatrix<T> A = from_triplets(n, n, untidy_entries(n, n, 5)).template cast<T>();
  for (const std::string& name : simd_targets()) {
    const OnTarget target(name);
    for (Index c = 1; c <= 40; ++c) {
      INFO(name << ", " << c << " columns");
      const Matrix<T> X = normal_matrix(n, c, 6).template cast<T>(),
                      Z = normal_matrix(n, c, 7).template cast<T>();
      Matrix<T> Y = Z;
      engine::SparseStep<T> step;
      step.A = engine::rows_of(A);
      step.X = X.data();
      step.Z = step.Y = Y.data();
      step.columns = c;
      step.alpha = T(2);
      step.gamma = T(-1);
      engine::sparse_step(step, engine::block_of(0, n, n));
      const Matrix<T> want = T(2) * (A * X) - Z;
      CHECK((Y - want).cwiseAbs().maxCoeff() < 1280 * std::numeric_limits<T>::epsilon());
    }
  }
}

TEMPLATE_TEST_CASE("sparse products are the same wherever their operand lies", "[block_solver]", float,
                   double) {
  using T = TestType;
  const Index n = 5000;
  const SparseMatrix<T> A = random_graph(n, 12, 1, 3).template cast<T>();
  REQUIRE(A.nonZeros() > 8 * n);  // enough for rows to be copied onto cache lines
  for (const std::string& name : simd_targets()) {
    const OnTarget target(name);
    for (const Index c : {3, 8, 16, 32}) {
      INFO(name << ", " << c << " columns");
      const Matrix<T> X = normal_matrix(n, c, 6).template cast<T>();
      const auto found = [&](Index offset, int threads) {
        const Index line = static_cast<Index>(engine::cache_line / sizeof(T));
        engine::AlignedRows<T> memory(n * c + line, 1);
        std::copy_n(X.data(), X.size(), memory.data() + offset);
        Matrix<T> Y = Matrix<T>::Constant(n, c, T(7));
        engine::sparse_product(A, memory.data() + offset, Y.data(), c, {.n_jobs = threads}, "");
        return Y;
      };
      const Matrix<T> on_lines = found(0, 1);
      const Matrix<double> want = A.template cast<double>() * X.template cast<double>();
      CHECK((on_lines.template cast<double>() - want).cwiseAbs().maxCoeff()
            < 640 * static_cast<double>(std::numeric_limits<T>::epsilon()));
      for (const Index offset : {1, 2, 4})
        for (const int threads : {1, 3}) CHECK(found(offset, threads) == on_lines);
    }
  }
}

TEMPLATE_TEST_CASE("dense products with few columns, and any number of rows and keys", "[block_solver]",
                   float, double) {
  using T = TestType;
  for (const Index n : {1, 3, 16, 37, 130})
    for (Index c = 0; c <= 9; ++c) {
      const Matrix<T> P = normal_matrix(n + 2, n, 7).template cast<T>(),
                      V = normal_matrix(n, c, 8).template cast<T>();
      const Matrix<T> transposed = V.transpose();
      Matrix<T> Y = Matrix<T>::Constant(n + 2, c, T(7));
      engine::dense_rows_product(P, transposed, Y, {0, n + 2});
      const Matrix<double> want = P.template cast<double>() * V.template cast<double>();
      CHECK((c == 0
             || (Y.template cast<double>() - want).cwiseAbs().maxCoeff()
                    < 200 * static_cast<double>(std::numeric_limits<T>::epsilon())));
    }
}

TEST_CASE("tall products", "[block_solver]") {
  const Index n = GENERATE(Index{1}, Index{127}, Index{5000});
  const Matrix<double> X = normal_matrix(n, 16, 1), Y = normal_matrix(n, 32, 2), C = normal_matrix(16, 48, 3);
  CHECK((engine::tall_gram(X, Y, {}) - X.transpose() * Y).cwiseAbs().maxCoeff() < 1e-10);
  CHECK(engine::tall_gram(X, Y, {.n_jobs = 1}) == engine::tall_gram(X, Y, {.n_jobs = 3}));
  Matrix<double> Z(n, 48);
  engine::tall_times_small(X, C, Z, {0, n});
  CHECK((Z - X * C).cwiseAbs().maxCoeff() < 1e-12);
}
