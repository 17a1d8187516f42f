// Operators against plain loops: K_ij from the leaves' own definitions, then the normalization written out.
#include <atomic>
#include <cmath>
#include <limits>
#include <random>
#include <thread>

#include <likewise/operator.hpp>
#include <likewise/partial.hpp>

#include "catch.hpp"

using namespace likewise;

namespace {

Matrix<double> random_matrix(Index rows, Index cols, unsigned seed, double scale = 1) {
  std::mt19937 source(seed);
  std::normal_distribution<double> normal(0, scale);
  return Matrix<double>::NullaryExpr(rows, cols, [&] { return normal(source); });
}

double cost_of(const Metric& metric, const Matrix<double>& X, Index i, const Matrix<double>& Z, Index j) {
  return std::visit(
      [&](const auto& m) -> double {
        if constexpr (requires { m.template cost<double>(X.row(i), Z.row(j)); })
          return m.template cost<double>(X.row(i), Z.row(j));
        else
          throw std::logic_error("no scalar cost");
      },
      metric);
}

/// Whether the operator says that it has no spectrum.
bool asymmetry_told(const SelfOperator<double>& P) {
  try {
    SymmetricOperator<double>(P, {});
    return false;
  } catch (const InvalidArgument&) {
    return true;
  }
}

/// K by definition, every pair admitted.
Matrix<double> oracle_kernel(const Mechanism& m, const Matrix<double>& X, const Matrix<double>& Z, double h) {
  Matrix<double> K(X.rows(), Z.rows());
  const int power = traits(m.metric).distance_power;
  for (Index i = 0; i < X.rows(); ++i)
    for (Index j = 0; j < Z.rows(); ++j) {
      const double c = cost_of(m.metric, X, i, Z, j);
      const double d = power == 2 ? std::sqrt(c) : c;
      const KernelInput input = traits(m.kernel).input;
      const double u = input == KernelInput::cost ? c : input == KernelInput::distance ? d : d * d;
      K(i, j) = weight(m.kernel, u, h);
    }
  return K;
}

Matrix<double> oracle_normalize(const Normalization& rule, const Matrix<double>& K, const Vector<double>& w) {
  const Index n = K.rows();
  Matrix<double> P = K * w.asDiagonal();
  if (const auto* row = std::get_if<RowStochastic>(&rule))
    for (Index i = 0; i < n; ++i) P.row(i) /= P.row(i).sum() + row->null_mass;
  if (std::holds_alternative<Symmetric>(rule)) {
    const Vector<double> D = P.rowwise().sum();
    for (Index i = 0; i < n; ++i)
      for (Index j = 0; j < n; ++j) P(i, j) = std::sqrt(w(i) * w(j)) * K(i, j) / std::sqrt(D(i) * D(j));
  }
  if (const auto* density = std::get_if<Density>(&rule)) {
    const Vector<double> q = P.rowwise().sum();
    for (Index j = 0; j < n; ++j) P.col(j) *= std::pow(q(j), -density->alpha);
    for (Index i = 0; i < n; ++i) P.row(i) /= P.row(i).sum();
  }
  return P;
}

double error(const Matrix<double>& got, const Matrix<double>& want) {
  return got.size() ? (got - want).cwiseAbs().maxCoeff() / (1 + want.cwiseAbs().maxCoeff()) : 0;
}

std::vector<Metric> metrics() {
  return {SquaredEuclidean{}, Euclidean{},  Mahalanobis{random_matrix(2, 3, 5)},
          Cosine{},           Manhattan{},  Chebyshev{},
          Minkowski{3},       DotProduct{}, Bilinear{random_matrix(2, 3, 6), random_matrix(2, 3, 7)}};
}
std::vector<Kernel> kernels() {
  return {Gaussian{0.9},      Exponential{1.3},  Laplacian{0.8}, Indicator{},
          Indicator{1.5},     Epanechnikov{2.5}, Tricube{2.5},   StudentT{0.7, 3},
          AlphaDecay{1.1, 3}, Matern32{0.9},     Matern52{0.9}};
}
std::vector<Normalization> normalizations() {
  return {Unnormalized{}, RowStochastic{}, RowStochastic{0.3}, Symmetric{}, Density{1}, Density{0.5}};
}
bool fits(const Metric& metric, const Kernel& kernel) {
  const KernelInput input = traits(kernel).input;
  return traits(metric).distance_power > 0 || input == KernelInput::cost || input == KernelInput::nothing;
}

}  // namespace

TEST_CASE("every metric, kernel and normalization equals plain loops, in every storage") {
  const Index n = 70;  // more than one block of queries
  const Matrix<double> Z = random_matrix(n, 3, 1), V = random_matrix(n, 2, 2);
  const Vector<double> w = random_matrix(n, 1, 3).array().exp();
  const OperatorOptions weighted{.log_key_weights = w.array().log()};
  for (const Metric& metric : metrics())
    for (const Kernel& kernel : kernels()) {
      if (!fits(metric, kernel)) continue;
      for (const Normalization& rule : normalizations()) {
        const Mechanism m{metric, kernel, AllPairs{}, rule};
        CAPTURE(repr(m));
        const Matrix<double> want = oracle_normalize(rule, oracle_kernel(m, Z, Z, scale_of(kernel)), w);
        for (const char* storage : {"streamed", "dense", "sparse"}) {
          OperatorOptions options = weighted;
          options.storage = storage;
          const auto P = m.self_operator(Z, options);
          REQUIRE(P.storage() == storage);
          CHECK(error(P * V, want * V) < 1e-12);
          CHECK(error(P.apply_transposed(V), want.transpose() * V) < 1e-12);
          CHECK(error(P.dense(), want) < 1e-12);
          CHECK(error(Matrix<double>(P.sparse()), want) < 1e-12);
        }
      }
    }
}

TEST_CASE("float32 stays close to float64, also with an offset") {
  const Matrix<double> Z = random_matrix(150, 16, 1), V = random_matrix(150, 3, 2);
  const double offset = GENERATE(0.0, 1e4);
  Matrix<float> Zf = Z.cast<float>();
  Zf.array() += static_cast<float>(offset);
  const Matrix<double> exact = Zf.cast<double>();
  for (const double h : {1.0, 4.0}) {
    const Mechanism m{SquaredEuclidean{}, Gaussian{h}};
    const Matrix<double> want = m.self_operator(exact) * V;
    const Matrix<float> got = m.self_operator(Zf, {.storage = "streamed"}) * V.cast<float>();
    CHECK(error(got.cast<double>(), want) < 4e-6);
  }
}

TEST_CASE("supports: causal, mask, leave one out and graphs") {
  const Index n = 9;
  const Matrix<double> Z = random_matrix(n, 2, 1), V = random_matrix(n, 2, 2);
  Mechanism m{SquaredEuclidean{}, Gaussian{1.0}};
  BoolMatrix admitted = (random_matrix(n, n, 4).array() > 0).matrix();
  admitted.row(4).setConstant(false);  // may attend to nothing
  SparseMatrix<double> edges = admitted.cast<double>().sparseView();
  const auto masked = [&](const Support& support, auto admits) {
    m.support = support;
    Matrix<double> K = oracle_kernel(m, Z, Z, 1.0);
    for (Index i = 0; i < n; ++i)
      for (Index j = 0; j < n; ++j)
        if (!admits(i, j)) K(i, j) = 0;
    for (Index i = 0; i < n; ++i)
      if (K.row(i).sum() > 0) K.row(i) /= K.row(i).sum();
    const auto P = m.self_operator(Z);
    CHECK(error(P.dense(), K) < 1e-13);
    CHECK(error(P * V, K * V) < 1e-13);
    CHECK(error(P.apply_transposed(V), K.transpose() * V) < 1e-13);
    if (P.storage() == "dense") {
      const auto streamed = m.self_operator(Z, {.storage = "streamed"});
      CHECK(error(streamed * V, K * V) < 1e-13);
      CHECK(error(streamed.apply_transposed(V), K.transpose() * V) < 1e-13);
    }
  };
  masked(Causal{}, [](Index i, Index j) { return j <= i; });
  masked(LeaveOneOut{}, [](Index i, Index j) { return i != j; });
  masked(Mask{admitted}, [&](Index i, Index j) { return admitted(i, j); });
  masked(Mask{admitted} & Support(Causal{}), [&](Index i, Index j) { return admitted(i, j) && j <= i; });
  masked(Graph{edges}, [&](Index i, Index j) { return admitted(i, j); });
  masked(Graph{edges} & Support(LeaveOneOut{}), [&](Index i, Index j) { return admitted(i, j) && i != j; });
}

TEST_CASE("neighbors: symmetrized in five ways, with and without the point itself") {
  const Index n = 40, k = 4;
  const Matrix<double> Z = random_matrix(n, 2, 1);
  for (const bool include_self : {false, true})
    for (const char* how : {"none", "union", "mutual", "average", "fuzzy_union"}) {
      const Mechanism m{SquaredEuclidean{}, Gaussian{0.7}, Neighbors{k, how, include_self}, Unnormalized{}};
      const Matrix<double> K = oracle_kernel(m, Z, Z, 0.7);
      Matrix<double> A = Matrix<double>::Zero(n, n);
      for (Index i = 0; i < n; ++i) {
        std::vector<std::pair<double, Index>> row;
        for (Index j = 0; j < n; ++j)
          if (include_self || j != i) row.emplace_back(-K(i, j), j);
        std::sort(row.begin(), row.end());
        for (Index r = 0; r < k; ++r)
          A(i, row[static_cast<std::size_t>(r)].second) = -row[static_cast<std::size_t>(r)].first;
      }
      const Matrix<double> B = A.transpose();
      const std::string rule = how;
      Matrix<double> want = A;
      if (rule == "union") want = A.cwiseMax(B);
      if (rule == "mutual") want = A.cwiseMin(B);
      if (rule == "average") want = 0.5 * (A + B);
      if (rule == "fuzzy_union") want = A + B - A.cwiseProduct(B);
      CAPTURE(how, include_self);
      const auto P = m.self_operator(Z);
      CHECK(P.storage() == "sparse");
      CHECK(error(P.dense(), want) < 1e-14);
      CHECK(asymmetry(P).empty() == (rule != "none"));
    }
}

TEST_CASE("Bistochastic rows and columns sum to the key weights") {
  const Index n = 50;
  const Matrix<double> Z = random_matrix(n, 2, 1);
  const Vector<double> w = random_matrix(n, 1, 3).array().exp();
  const auto P = Mechanism{SquaredEuclidean{}, Gaussian{0.6}, AllPairs{}, Bistochastic{1e-12}}.self_operator(
      Z, {.log_key_weights = w.array().log()});
  REQUIRE(P.report().converged);
  const Matrix<double> D = P.dense();
  CHECK((D.rowwise().sum().array() - 1).abs().maxCoeff() < 1e-11);
  CHECK(((w.transpose() * D).transpose() - w).cwiseAbs().maxCoeff() < 1e-10);
  CHECK_THROWS_AS((Mechanism{DotProduct{}, Exponential{}, Causal{}, Bistochastic{}}.self_operator(Z)),
                  InvalidArgument);
  CHECK_THROWS_AS((Mechanism{Euclidean{}, Gaussian{1.0}, Neighbors{3}, Bistochastic{}}.self_operator(Z)),
                  InvalidArgument);
  CHECK_NOTHROW(
      Mechanism{Euclidean{}, Gaussian{1.0}, Neighbors{3, "", true}, Bistochastic{}}.self_operator(Z));
}

TEST_CASE("new points at the keys give the self-operator's rows; cross is short for at") {
  const Matrix<double> Z = random_matrix(30, 2, 1), X = random_matrix(7, 2, 2), V = random_matrix(30, 2, 3);
  for (const Normalization& rule : normalizations()) {
    const Mechanism m{Euclidean{}, Gaussian{0.8}, AllPairs{}, rule};
    const auto P = m.self_operator(Z);
    CHECK(error(P.at(Z) * V, P * V) < 1e-13);
    CHECK(error(P.at(X) * V, m.cross_operator(X, Z) * V) < 1e-13);
    CHECK(P.at(X).rows() == 7);
  }
}

TEST_CASE("no NaN and the right limit: far points, isolated points, extreme logits and temperatures") {
  Matrix<double> Z(4, 1), V(4, 1);
  Z << 0, 1, 1e6, -1e8;
  V << 1, 2, 3, 4;
  const Matrix<double> Y = Mechanism{SquaredEuclidean{}, Gaussian{1e-3}, LeaveOneOut{}}.self_operator(Z) * V;
  CHECK(Y(2, 0) == Approx(2));  // the nearest other takes all
  CHECK(Y(3, 0) == Approx(1));
  for (const double t : {1e-6, 1.0, 1e6}) {
    const Matrix<double> scores =
        Mechanism{DotProduct{}, Exponential{t}}.self_operator(Matrix<double>(Z * 1e-2)) * V;
    CHECK(scores.allFinite());
  }
  Matrix<double> lonely(3, 1);
  lonely << 0, 0.1, 50;
  Mechanism compact{Euclidean{}, Epanechnikov{1.0}, LeaveOneOut{}};
  const Matrix<double> U = V.topRows(3);
  for (const char* storage : {"streamed", "dense", "sparse"}) {
    const OperatorOptions options{.storage = storage};
    compact.empty_row = EmptyRow::zero;
    CHECK((compact.self_operator(lonely, options) * U)(2, 0) == 0);
    compact.empty_row = EmptyRow::nearest;
    const auto P = compact.self_operator(lonely, options);
    CHECK((P * U)(2, 0) == 2);
    CHECK(error(P.dense().transpose() * U, P.apply_transposed(U)) < 1e-14);
    compact.empty_row = EmptyRow::error;
    CHECK_THROWS_AS(compact.self_operator(lonely, options), InvalidArgument);
  }
}

TEST_CASE("a wide row that admits nothing has exactly no mass") {
  const Index n = 300;  // wide enough for vector code, whose exp(-inf) is not quite 0
  const Matrix<double> Z = random_matrix(n, 2, 1), V = random_matrix(n, 2, 2);
  BoolMatrix admitted = BoolMatrix::Constant(n, n, true);
  admitted.row(7).setConstant(false);
  for (const char* storage : {"streamed", "dense", "sparse"}) {
    const Mechanism m{SquaredEuclidean{}, Gaussian{1.0}, Mask{admitted}};
    const auto P = m.self_operator(Z, {.storage = storage});
    CHECK(P.log_row_sums()(7) == -std::numeric_limits<double>::infinity());
    CHECK((P * V).row(7).isZero(0));
    CHECK(P.dense().row(7).isZero(0));
    const auto Pf = m.self_operator(Matrix<float>(Z.cast<float>()), {.storage = storage});
    CHECK((Pf * Matrix<float>(V.cast<float>())).row(7).isZero(0));
  }
}

TEST_CASE("a query however far keeps the shares of its nearest keys, in every storage") {
  Matrix<double> Z(4, 1), X(2, 1), V(4, 1);
  Z << 0, 0, 0, -5;  // three at one place, so that 1/3 each must come out
  X << 1e9, 1e12;
  V << 1, 3, 5, 70;
  for (const Normalization& rule : std::vector<Normalization>{RowStochastic{}, Density{0.5}})
    for (const char* storage : {"streamed", "dense", "sparse"}) {
      const Mechanism m{SquaredEuclidean{}, Gaussian{1e-3}, AllPairs{}, rule};
      const auto P = m.cross_operator(X, Z, {.storage = storage});
      CHECK(error(P * V, Matrix<double>::Constant(2, 1, 3)) < 1e-14);
      CHECK((P.dense().rowwise().sum().array() - 1).abs().maxCoeff() < 1e-14);
    }
  const Mechanism nearest{SquaredEuclidean{}, Gaussian{1e-3}, Neighbors{3}, RowStochastic{}};
  CHECK(error(nearest.cross_operator(X, Z) * V, Matrix<double>::Constant(2, 1, 3)) < 1e-14);
}

TEST_CASE("inverse distance: keys at distance 0 take all") {
  Matrix<double> Z(4, 2), X(2, 2), V(4, 1);
  Z << 0, 0, 1, 0, 1, 0, 3, 0;
  X << 1, 0, 2, 0;
  V << 1, 2, 4, 8;
  const Matrix<double> Y = Mechanism{Euclidean{}, InverseDistance{}}.cross_operator(X, Z) * V;
  CHECK(Y(0, 0) == Approx(3));
  CHECK(Y(1, 0) == Approx((0.5 * 1 + 2 + 4 + 8) / 3.5));
  CHECK_THROWS_AS((Mechanism{Euclidean{}, InverseDistance{}, AllPairs{}, Symmetric{}}.self_operator(Z)),
                  InvalidArgument);
}

TEST_CASE("partial results of blocks of keys merge to the whole") {
  const Matrix<double> X = random_matrix(11, 3, 1), Z = random_matrix(100, 3, 2),
                       V = random_matrix(100, 2, 3);
  for (const Normalization& rule :
       {Normalization(RowStochastic{}), Normalization(RowStochastic{0.5}), Normalization(Unnormalized{})}) {
    const Mechanism m{Euclidean{}, Gaussian{0.4}, AllPairs{}, rule};
    Partial<double> whole = partial<double>(m, X, Z.topRows(1), V.topRows(1));
    for (Index j = 1; j < 100; j += 33)
      whole = merge(whole, partial<double>(m, X, Z.middleRows(j, 33), V.middleRows(j, 33)));
    CHECK(error(finish(m, whole), m.cross_operator(X, Z) * V) < 1e-13);
  }
}

TEST_CASE("power and heat") {
  const Matrix<double> Z = random_matrix(20, 2, 1), V = random_matrix(20, 2, 2);
  const auto P = Mechanism{Euclidean{}, Gaussian{0.8}}.self_operator(Z);
  const Matrix<double> D = P.dense();
  CHECK(error(power(P, 3) * V, D * (D * (D * V))) < 1e-14);
  CHECK(error(power(P, 0) * V, V) == 0);
  const double t = 2.5;  // exp(-t (I - D)) by scaling and squaring
  Matrix<double> E =
      Matrix<double>::Identity(20, 20) - (t / 1048576) * (Matrix<double>::Identity(20, 20) - D);
  for (int i = 0; i < 20; ++i) E = E * E;
  CHECK(error(heat(P, t) * V, E * V) < 1e-5);
  CHECK(error(heat(P, 0) * V, V) == 0);
  CHECK_THROWS_AS(power(P, -1), InvalidArgument);
}

TEST_CASE("results do not depend on the number of threads; few queries split over keys") {
  const Matrix<double> Z = random_matrix(3000, 4, 1), X = random_matrix(5, 4, 2),
                       V = random_matrix(3000, 2, 3);
  const Mechanism m{SquaredEuclidean{}, Gaussian{0.5}};
  const auto P = m.cross_operator(X, Z);
  const Matrix<double> one = P.apply(V, {.n_jobs = 1}), two = P.apply(V, {.n_jobs = 2});
  CHECK(one == two);
  const auto Q = m.self_operator(Z, {.storage = "streamed"});
  CHECK(Q.apply(V, {.n_jobs = 1}) == Q.apply(V, {.n_jobs = 3}));
  const Matrix<double> K = oracle_kernel(m, X, Z, 0.5);
  CHECK(error(one, (K * V).array().colwise() / K.rowwise().sum().array()) < 1e-13);
}

TEST_CASE("threads of a program may ask one operator at once") {
  const Matrix<double> Z = random_matrix(300, 3, 1), V = random_matrix(300, 2, 2);
  for (const char* storage : {"streamed", "dense"}) {
    const Mechanism m{SquaredEuclidean{}, Gaussian{1.0}, AllPairs{}, Density{1}};
    const auto P =
        m.self_operator(Z, {.storage = storage});  // what it computes at first use is not there yet
    std::vector<Matrix<double>> got(4);
    std::vector<std::thread> askers;
    for (Matrix<double>& Y : got) askers.emplace_back([&] { Y = P.apply(V, {.n_jobs = 1}); });
    for (std::thread& asker : askers) asker.join();
    const Matrix<double> want = m.self_operator(Z, {.storage = storage}).apply(V, {.n_jobs = 1});
    for (const Matrix<double>& Y : got) CHECK(Y == want);
  }
}

TEST_CASE("stopping, progress and the memory limit") {
  const Matrix<double> Z = random_matrix(20000, 8, 1), V = random_matrix(20000, 1, 3);
  const auto P = Mechanism{Euclidean{}, Gaussian{1.0}}.self_operator(Z);
  CHECK(P.storage() == "streamed");
  CHECK_THROWS_AS(P.apply(V, {.stop_requested = [] { return true; }}), Interrupted);
  double last = -1;
  P.apply(V, {.n_jobs = 1, .progress = [&](double done, const char*) { last = done; }});
  CHECK(last > 0);
  CHECK(last <= 1);
  CHECK_THROWS_AS(P.dense({.memory_limit = 1000000}), MemoryLimitError);
}

TEST_CASE("a user's own metric is called for tiles") {
  std::atomic<int> calls = 0;
  const Metric mine = CustomMetric::from(
      [&calls](const Points<double>& x, const Points<double>& z, Tile<double> out) {
        ++calls;
        for (Index i = 0; i < x.rows(); ++i)
          out.row(i) = (z.rowwise() - x.row(i)).rowwise().squaredNorm().transpose();
      },
      {.symmetric = true, .zero_on_self = true, .distance_power = 2});
  const Matrix<double> Z = random_matrix(100, 3, 1), V = random_matrix(100, 2, 2);
  const Matrix<double> got = Mechanism{mine, Gaussian{1.0}}.self_operator(Z, {.storage = "streamed"}) * V;
  CHECK(error(got, Mechanism{SquaredEuclidean{}, Gaussian{1.0}}.self_operator(Z) * V) < 1e-13);
  CHECK(calls < 100);
}

TEST_CASE("what does not fit is refused by name") {
  const Matrix<double> Z = random_matrix(10, 2, 1);
  const Mechanism gauss{SquaredEuclidean{}, Gaussian{1.0}};
  Matrix<double> bad = Z;
  bad(3, 1) = std::numeric_limits<double>::quiet_NaN();
  const auto message = [](const auto& call) -> std::string {
    try {
      call();
    } catch (const InvalidArgument& e) {
      return e.what();
    }
    return "nothing thrown";
  };
  const auto contains = [](const std::string& text, const char* part) {
    return text.find(part) != std::string::npos;
  };
  CHECK(contains(message([&] { Mechanism{}.self_operator(bad); }), "row 3, column 1"));
  CHECK(contains(message([&] { Mechanism{DotProduct{}, Gaussian{1.0}}.self_operator(Z); }), "DotProduct"));
  CHECK(contains(
      message([&] { Mechanism{.kernel = Gaussian{1.0}, .support = Neighbors{10}}.self_operator(Z); }),
      "[1, 9]"));
  CHECK(contains(message([&] { gauss.self_operator(Z, {.storage = "tape"}); }), "storage"));
  CHECK(contains(message([&] {
                   Mechanism{.kernel = Gaussian{1.0},
                             .support = Mask{BoolMatrix(BoolMatrix::Constant(3, 3, true))}}
                       .self_operator(Z);
                 }),
                 "Mask"));
  CHECK(contains(message([&] { gauss.self_operator(Z) * Matrix<double>(3, 1); }), "V"));
  CHECK(contains(message([&] { gauss.cross_operator(Matrix<double>::Zero(2, 5), Z); }), "features"));
  CHECK(contains(message([&] { Mechanism{.kernel = Gaussian{"loo"}}.self_operator(Z); }), "bandwidth"));
  CHECK(
      contains(message([&] {
                 SymmetricOperator<double>(Mechanism{DotProduct{}, Exponential{}, Causal{}}.self_operator(Z));
               }),
               "symmetric"));
}

/// Kind: what is only said of point sets with themselves was asked of every operator, beyond the mask's memory.
TEST_CASE("masks of all shapes and symmetries, against plain loops", "[operator]") {
  std::mt19937 source(1);
  const auto exponential = [](const Matrix<double>& q, const Matrix<double>& k, const BoolMatrix& mask) {
    Matrix<double> P = (q * k.transpose()).array().exp() * mask.cast<double>().array();
    for (Index i = 0; i < P.rows(); ++i)
      if (P.row(i).sum() > 0) P.row(i) /= P.row(i).sum();
    return P;
  };
  for (const auto& [n, m] : {std::pair<Index, Index>{5, 70}, {70, 5}, {130, 130}, {200, 200}, {1, 1}}) {
    const Matrix<double> q = random_matrix(n, 3, 1, 0.5), k = random_matrix(m, 3, 2, 0.5);
    for (const int kind : {0, 1, 2}) {  // a window, few at random, all but few
      BoolMatrix mask(n, m);
      for (Index i = 0; i < n; ++i)
        for (Index j = 0; j < m; ++j)
          mask(i, j) = kind == 0 ? std::abs(i - j) < 9 : (source() % 16 == 0) == (kind == 1);
      for (const bool symmetric : {false, true}) {
        if (symmetric && n == m) mask = BoolMatrix(mask.array() || mask.transpose().array());
        const Mechanism mechanism{DotProduct{}, Exponential{1.0}, Mask{mask}};
        CHECK((mechanism.cross_operator(q, k).dense() - exponential(q, k, mask)).norm() < 1e-12);
        if (n != m) continue;
        const SelfOperator<double> P = mechanism.self_operator(q);
        CHECK((P.dense() - exponential(q, q, mask)).norm() < 1e-12);
        CHECK(asymmetry_told(P) == (BoolMatrix(mask.transpose()) != mask));
      }
      // One pair that differs from its mirror is found, wherever it lies.
      if (n != m || n == 1) continue;
      mask = BoolMatrix(mask.array() || mask.transpose().array());
      const Index i = static_cast<Index>(source()) % n,
                  j = (i + 1 + static_cast<Index>(source()) % (n - 1)) % n;
      mask(i, j) = !mask(i, j);
      CHECK(asymmetry_told(Mechanism{DotProduct{}, Exponential{1.0}, Mask{mask}}.self_operator(q)));
    }
  }
}

TEST_CASE("threads that read one operator hear what one hears", "[operator]") {
  const Matrix<double> X = random_matrix(150, 3, 1), V = random_matrix(150, 2, 2);
  for (const std::string storage : {"streamed", "dense", "sparse"})
    for (const Normalization& normalization :
         {Normalization(RowStochastic{}), Normalization(Symmetric{}), Normalization(Density{1.0})}) {
      const Mechanism m{SquaredEuclidean{}, Gaussian{1.0}, AllPairs{}, normalization};
      const auto read = [&](const SelfOperator<double>& P) {
        return std::vector<Matrix<double>>{
            P.apply_transposed(V),        P.apply(V), P.log_row_sums(), P.log_left(),
            P.at(X.topRows(20)).apply(V), P.dense()};
      };
      const auto want = read(m.self_operator(X, {.storage = storage}));
      const SelfOperator<double> shared = m.self_operator(X, {.storage = storage});
      std::vector<std::vector<Matrix<double>>> got(8);
      std::vector<std::thread> threads;
      for (auto& mine : got) threads.emplace_back([&] { mine = read(shared); });
      for (std::thread& thread : threads) thread.join();
      for (const auto& mine : got) CHECK(mine == want);
    }
}
