// Label propagation and spreading against dense solves written out here.
#include <likewise/algorithms/label_propagation.hpp>

#include "catch.hpp"
#include "oracles.hpp"
#include "refusal.hpp"
#include "samples.hpp"

using namespace likewise;

namespace {

constexpr double gamma20 = 20;

/// exp(-20 |x - z|^2)
Eigen::MatrixXd rbf(const Matrix<double>& X, const Matrix<double>& Z) {
  Eigen::MatrixXd K(X.rows(), Z.rows());
  for (Index i = 0; i < X.rows(); ++i)
    for (Index j = 0; j < Z.rows(); ++j) K(i, j) = std::exp(-gamma20 * (X.row(i) - Z.row(j)).squaredNorm());
  return K;
}

struct Problem {
  Matrix<double> X = 0.4 * samples::normal(30, 2, 11);
  std::vector<Index> labels = std::vector<Index>(30, unlabeled);
  Eigen::MatrixXd Y = Eigen::MatrixXd::Zero(30, 3);
  Problem() {
    for (Index i = 0; i < 9; ++i) {
      labels[static_cast<std::size_t>(i)] = i % 3;
      Y(i, i % 3) = 1;
    }
  }
};

Eigen::MatrixXd rows_of_one(const Eigen::MatrixXd& F) {
  return F.array().colwise() / F.rowwise().sum().array();
}

}  // namespace

TEST_CASE("label propagation is the harmonic extension of the labels", "[label_propagation]") {
  const Problem p;
  const Eigen::MatrixXd K = rbf(p.X, p.X), P = rows_of_one(K);
  const Index l = 9, u = 21;
  const Eigen::MatrixXd want = oracles::solve(Eigen::MatrixXd::Identity(u, u) - P.bottomRightCorner(u, u),
                                              P.bottomLeftCorner(u, l) * p.Y.topRows(l));
  const auto model = label_propagation(p.X, p.labels, 3);
  CHECK(model.report.converged);
  Mechanism said = LabelPropagationOptions{}.mechanism;
  said.propagation = Equilibrium{};
  CHECK(model.mechanism == said);
  CHECK((model.label_distributions.bottomRows(u) - want).cwiseAbs().maxCoeff() < 1e-7);
  CHECK(model.label_distributions.topRows(l) == p.Y.topRows(l));
  CHECK(std::find(model.unreached.begin(), model.unreached.end(), true) == model.unreached.end());

  const Matrix<double> Q = 0.4 * samples::normal(7, 2, 12);
  const Eigen::MatrixXd proba = rows_of_one(rbf(Q, p.X)) * model.label_distributions;
  CHECK((model.predict_proba(Q) - proba).cwiseAbs().maxCoeff() < 1e-10);
  const auto single = label_propagation(p.X.cast<float>(), p.labels, 3);
  CHECK((single.label_distributions.cast<double>() - model.label_distributions).cwiseAbs().maxCoeff() < 1e-5);
}

TEST_CASE("label spreading is (1 - alpha)(I - alpha S)^-1 Y with rows of 1", "[label_propagation]") {
  const Problem p;
  const double alpha = GENERATE(0.2, 0.9);
  Eigen::MatrixXd K = rbf(p.X, p.X);
  K.diagonal().setZero();
  const Eigen::VectorXd s = K.rowwise().sum().cwiseSqrt().cwiseInverse();
  const Eigen::MatrixXd S = s.asDiagonal() * K * s.asDiagonal();
  const Eigen::MatrixXd F = oracles::solve(Eigen::MatrixXd::Identity(30, 30) - alpha * S, p.Y);
  const auto model = label_spreading(p.X, p.labels, 3, {.alpha = alpha});
  CHECK((model.label_distributions - rows_of_one(F)).cwiseAbs().maxCoeff() < 1e-7);
  const auto iterated =
      label_spreading(p.X, p.labels, 3, {.alpha = alpha, .solver = "iterate", .max_iter = 500, .tol = 1e-10});
  CHECK(iterated.report.converged);
  CHECK((iterated.label_distributions - model.label_distributions).cwiseAbs().maxCoeff() < 1e-7);
  // The diagonal is back for new points: a training point asked again is its own key.
  const Eigen::MatrixXd proba = rows_of_one(rbf(p.X, p.X)) * model.label_distributions;
  CHECK((model.predict_proba(p.X) - proba).cwiseAbs().maxCoeff() < 1e-10);
}

TEST_CASE("on a directed graph spreading divides by in-degrees, without self-loops", "[label_propagation]") {
  const Problem p;
  const double alpha = 0.6;
  const Neighbors own{5, "none", true}, others{5, "none", false};
  const auto with = [](const Support& support) {
    return Mechanism{Euclidean{}, Gaussian{0.5}, support, Symmetric{}};
  };
  const auto edges_of = [&](Mechanism m) {
    m.normalization = Unnormalized{};
    return m.self_operator(p.X).sparse();
  };
  const SparseMatrix<double> found = edges_of(with(own));
  CHECK(Eigen::MatrixXd(found).diagonal().minCoeff() == 1);
  const Graph pairs{edges_of(with(Neighbors{9, "none", true}))};
  const Mechanism given{
      .kernel = Indicator{}, .support = Graph{found, "given"}, .normalization = Symmetric{}};
  for (const Mechanism& m : {with(own), given, with(Support(LeaveOneOut{}) & own), with(Support(pairs) & own),
                             with(Support(pairs) & others), with(Neighbors{1, "none", false})}) {
    INFO(repr(m.support));
    Eigen::MatrixXd A = edges_of(m);
    A.diagonal().setZero();
    const Eigen::VectorXd in_degree = A.colwise().sum().transpose();
    const Eigen::VectorXd s = (in_degree.array() > 0).select(in_degree.array().rsqrt(), 1.0);
    const Eigen::MatrixXd S = s.asDiagonal() * A * s.asDiagonal();
    const Eigen::MatrixXd F = oracles::solve(Eigen::MatrixXd::Identity(30, 30) - alpha * S, p.Y);
    const auto model = label_spreading(p.X, p.labels, 3, {.mechanism = m, .alpha = alpha});
    for (Index i = 0; i < 30; ++i)
      if (!model.unreached[static_cast<std::size_t>(i)])
        CHECK((model.label_distributions.row(i) - F.row(i) / F.row(i).sum()).cwiseAbs().maxCoeff() < 1e-6);
  }
  const Mechanism median{Euclidean{}, Gaussian{"median"}, own, Symmetric{}};
  const auto model = label_spreading(p.X, p.labels, 3, {.mechanism = median, .alpha = alpha});
  CHECK(bandwidth_of(model.mechanism.kernel)->is_number());
}

TEST_CASE("neighbors among filtered pairs are as many as were asked for", "[label_propagation]") {
  const Problem p;
  for (const Support& support :
       {Support(LeaveOneOut{}) & Neighbors{5, "union", true}, Support{Neighbors{5, "union", true}}}) {
    const Mechanism m{Euclidean{}, Gaussian{0.5}, support, RowStochastic{}};
    const auto solved = label_propagation(p.X, p.labels, 3, {.mechanism = m}),
               iterated = label_propagation(
                   p.X, p.labels, 3, {.mechanism = m, .solver = "iterate", .max_iter = 5000, .tol = 1e-12});
    CHECK((solved.label_distributions - iterated.label_distributions).cwiseAbs().maxCoeff() < 1e-6);
  }
}

TEST_CASE("spreading is right relative to each row, however far its labels are", "[label_propagation]") {
  // 40 steps along a path with alpha = 0.2: F falls to 1e-30, far below what a residual can see.
  Matrix<double> X(41, 1);
  X.col(0).setLinSpaced(0, 40);
  std::vector<Index> labels(41, unlabeled);
  labels[0] = 0;
  labels[1] = 1;
  const Mechanism path{Euclidean{}, Indicator{1.5}, LeaveOneOut{}, Symmetric{}};
  const auto model = label_spreading(X, labels, 2, {.mechanism = path});
  // From point 2 on F decays like q^i, q the small root of q = (alpha/2)(1 + q^2): both classes alike.
  const double share = model.label_distributions(2, 0);
  CHECK(share > 0.01);
  for (Index i = 3; i < 41; ++i) CHECK(model.label_distributions(i, 0) == Approx(share).epsilon(1e-6));
}

TEST_CASE("points that no label reaches get the class shares", "[label_propagation]") {
  Matrix<double> X(8, 1);
  X << 0, 0.1, 0.2, 0.3, 50, 50.1, 50.2, 50.3;
  const std::vector<Index> labels{0, -1, 1, 1, -1, -1, -1, -1};
  const Mechanism graph{Euclidean{}, Indicator{}, Neighbors{2}, RowStochastic{}};
  for (const std::string solver : {"cg", "iterate"}) {
    const auto model = label_propagation(X, labels, 2, {.mechanism = graph, .solver = solver});
    for (std::size_t i = 0; i < 8; ++i) CHECK(model.unreached[i] == (i >= 4));
    for (Index i = 4; i < 8; ++i) {
      CHECK(model.label_distributions(i, 0) == Approx(1. / 3));
      CHECK(model.label_distributions(i, 1) == Approx(2. / 3));
    }
    CHECK(model.transduction() == std::vector<Index>{0, model.transduction()[1], 1, 1, 1, 1, 1, 1});
  }
  Mechanism symmetric = graph;
  symmetric.normalization = Symmetric{};
  const auto spread = label_spreading(X, labels, 2, {.mechanism = symmetric});
  CHECK(spread.unreached == std::vector<bool>{false, false, false, false, true, true, true, true});
  CHECK(spread.label_distributions(7, 1) == Approx(2. / 3));
}

TEST_CASE("far points keep the digits of weak links", "[label_propagation]") {
  // exp(-20 d^2) falls to 1e-300 between groups: plain products see only self-loops there.
  Matrix<double> X(4, 1);
  X << 0, 5.5, 5.6, 11.1;
  const auto model = label_propagation(X, {0, -1, -1, 1}, 2);
  CHECK(model.report.converged);
  CHECK(model.label_distributions(1, 0) == Approx(0.5).epsilon(1e-6));
  CHECK(model.label_distributions(2, 0) == Approx(0.5).epsilon(1e-6));
}

TEST_CASE("any mechanism propagates labels", "[label_propagation]") {
  const Problem p;
  const Matrix<double> W = samples::normal(2, 2, 5), W2 = 2 * W;
  for (const Mechanism& m : {Mechanism{Manhattan{}, Laplacian{0.3}, AllPairs{}, RowStochastic{}},
                             Mechanism{Cosine{}, Gaussian{0.5}, Neighbors{8}, RowStochastic{}},
                             Mechanism{Bilinear{W, W2}, Exponential{1.0}, AllPairs{}, RowStochastic{}},
                             Mechanism{Euclidean{}, Gaussian{0.3}, AllPairs{}, Density{1.0}},
                             Mechanism{Euclidean{}, Gaussian{0.3}, Neighbors{6, "mutual"}, RowStochastic{},
                                       OneStep{}, EmptyRow::nearest}}) {
    CAPTURE(repr(m));
    const auto model = label_propagation(p.X, p.labels, 3, {.mechanism = m});
    const auto iterated = label_propagation(
        p.X, p.labels, 3, {.mechanism = m, .solver = "iterate", .max_iter = 5000, .tol = 1e-11});
    CHECK(model.report.converged);
    CHECK((model.label_distributions - iterated.label_distributions).cwiseAbs().maxCoeff() < 1e-6);
    CHECK((model.predict_proba(p.X).rowwise().sum().array() - 1).abs().maxCoeff() < 1e-12);
  }
}

TEST_CASE("label propagation refuses what does not fit", "[label_propagation]") {
  const Problem p;
  const auto run = [&](LabelPropagationOptions o) {
    return refusal([&] { label_propagation(p.X, p.labels, 3, o); });
  };
  CHECK(run({.solver = "magic"}).starts_with("solver must be"));
  CHECK(run({.max_iter = 0}).starts_with("max_iter must be"));
  CHECK(run({.tol = -1}).starts_with("tol must be"));
  CHECK(refusal([&] { label_propagation(p.X, std::vector<Index>(30, -1), 3); }).find("unlabeled")
        != std::string::npos);
  CHECK(refusal([&] { label_propagation(p.X, std::vector<Index>(29, 0), 3); }).starts_with("labels must be"));
  CHECK(refusal([&] { label_propagation(p.X, std::vector<Index>(30, 3), 3); }).starts_with("labels must be"));
  CHECK(refusal([&] { label_spreading(p.X, p.labels, 3, {.alpha = 1}); }).starts_with("alpha must be"));
  CHECK(label_propagation(p.X.topRows(1), {0}, 1).transduction() == std::vector<Index>{0});
}
