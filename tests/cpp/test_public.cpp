// The public functions as a user calls them: any expression, values that print and hash, progress that ends.
#include <span>
#include <sstream>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include <likewise/likewise.hpp>

#include "catch.hpp"
#include "testing.hpp"

using namespace likewise;

namespace {

/// exp(-|x - z|^2 / 2) with rows that sum to 1.
Eigen::MatrixXd gaussian_rows(const Eigen::MatrixXd& X) {
  Eigen::MatrixXd P(X.rows(), X.rows());
  for (Index i = 0; i < X.rows(); ++i)
    for (Index j = 0; j < X.rows(); ++j) P(i, j) = std::exp(-(X.row(i) - X.row(j)).squaredNorm() / 2);
  return P.array().colwise() / P.rowwise().sum().array();
}

template <class V> std::string printed(const V& value) {
  std::ostringstream out;
  out << value;
  return out.str();
}

const Mechanism smoothing{Euclidean{}, Gaussian{1.0}};

}  // namespace

/// Half of the functions took Points<T> only, and refused a MatrixXd, a block or a sum with "not derived from".
TEST_CASE("every function of points takes any expression of float or double", "[public]") {
  const Eigen::MatrixXd X = normal_matrix(40, 3, 1);
  const Eigen::MatrixXf F = X.cast<float>();
  const Eigen::MatrixXd Y = X.leftCols(1);

  const auto near = kneighbors(Euclidean{}, X.topRows(5), 2 * X, 1);
  for (Index i = 0; i < 5; ++i)
    CHECK(near.distances(i, 0)
          == Approx((2 * X).rowwise().operator-(X.row(i)).rowwise().norm().minCoeff()).epsilon(1e-12));
  CHECK(kneighbors(Euclidean{}, F, F.topRows(7), 2).distances.cols() == 2);
  CHECK(radius_neighbors(Euclidean{}, X, X.topRows(3), 1e6).indices.size() == 120);

  const auto part = partial(smoothing, X.topRows(4), X, Y);
  CHECK((finish(smoothing, part) - gaussian_rows(X).topRows(4) * Y).cwiseAbs().maxCoeff() < 1e-12);
  CHECK(select_bandwidth("median", Euclidean{}, Gaussian{}, 2 * X).length
        == Approx(2 * select_bandwidth("median", Euclidean{}, Gaussian{}, X).length));
  CHECK(loo_bandwidth(Mechanism{Euclidean{}, Gaussian{}}, X, Y, LooLoss::squared_error).length > 0);
  CHECK(kmeans(X.topRows(10), {.n_clusters = 10}).inertia < 1e-20);
  CHECK(nearest_center(X.topRows(3), X) == std::vector<Index>{0, 1, 2});
  CHECK(estimate_bandwidth(X) > 0);
  CHECK(metric_loss(X, Y, Matrix<double>::Identity(3, 3)).factor.rows() == 3);
  CHECK(nn::squared_error(X, 2 * X).value == Approx(X.squaredNorm() / static_cast<double>(X.size())));
  CHECK(nn::cross_entropy(Eigen::MatrixXd::Zero(3, 4), std::vector<int>{0, 1, 3}).value
        == Approx(std::log(4.0)));

  const auto P = smoothing.self_operator(X);
  CHECK((soft_equilibrium(P, Y, 0.5).values.rows()) == 40);
  CHECK(vjp(P, Y, Y).values.rows() == 40);
  const nn::AttentionModel model(
      {.n_tokens = 1, .n_features = 3, .n_outputs = 1, .block = {.attention = {.embed_dim = 4}}});
  auto parameters = model.initial_parameters<double>(0);
  CHECK(model.predict(parameters, X).rows() == 40);
  nn::train(model, parameters, {.training = {.X = X, .targets = Y}},
            {.task = nn::Task::regression, .max_epochs = 1});
}

TEST_CASE("labels come from any whole numbers", "[public]") {
  const Eigen::MatrixXd X = normal_matrix(4, 2, 1);
  const std::vector<int> ints = {0, 1, 1, 0};
  const Eigen::VectorXi numbers = Eigen::Map<const Eigen::VectorXi>(ints.data(), 4);
  const std::vector<Index> expected = {0, 1, 1, 0};
  CHECK(k_neighbors_classification(X, ints, 2, {.n_neighbors = 1}).predict(X) == expected);
  CHECK(k_neighbors_classification(X, std::span(ints), 2, {.n_neighbors = 1}).predict(X) == expected);
  CHECK(k_neighbors_classification(X, numbers, 2, {.n_neighbors = 1}).predict(X) == expected);
  CHECK(kernel_classification(X, {0, 1, 1, 0}, 2, {.bandwidth = 0.01}).predict(X) == expected);
  CHECK(label_propagation(X, ints, 2).transduction() == expected);
}

TEST_CASE("two leaves of a support compose", "[public]") {
  const Support both = Neighbors{5} & LeaveOneOut{};
  CHECK(both == (LeaveOneOut{} & Support(Neighbors{5})));
  CHECK(printed(both) == "Neighbors() & LeaveOneOut()");
}

TEST_CASE("values and operators print as their repr, and are keys of hash tables", "[public]") {
  CHECK(printed(Gaussian{0.3}) == "Gaussian(bandwidth=0.3)");
  CHECK(printed(Metric(Minkowski{.p = 3})) == "Minkowski(p=3)");
  CHECK(printed(smoothing) == repr(smoothing));
  const auto P = smoothing.self_operator(normal_matrix(4, 2, 1));
  CHECK(printed(P) == "4 x 4, dense: " + repr(P.mechanism()));
  CHECK(printed(SelfOperator<double>()) == "0 x 0");

  std::unordered_map<Mechanism, int> seen;
  ++seen[smoothing];
  ++seen[Mechanism{Euclidean{}, Gaussian{1.0}}];
  CHECK(seen.at(smoothing) == 2);
  CHECK(std::unordered_set<Kernel>{Gaussian{1.0}, Gaussian{1.0}, Laplacian{1.0}}.size() == 2);
  CHECK(std::unordered_set<Neighbors>{Neighbors{3}, Neighbors{3}}.size() == 1);
  CHECK(std::hash<Support>{}(Neighbors{3}) == std::hash<Support>{}(Neighbors{3}));
}

TEST_CASE("operators are members: empty, then assigned, transposed", "[public]") {
  struct Model {
    SelfOperator<double> P;
    CrossOperator<float> Q;
    SymmetricOperator<double> S;
  } model;
  CHECK(model.P.rows() == 0);
  CHECK(refusal([&] { model.P.mechanism(); }).find("operator must be one that a mechanism made") == 0);
  CHECK(refusal([&] { model.S* Eigen::VectorXd(0); }) != "no error");
  const Eigen::MatrixXd X = normal_matrix(6, 2, 1), V = normal_matrix(6, 2, 2);
  model.P = smoothing.self_operator(X);
  const auto across = smoothing.cross_operator(X.topRows(2), X);
  CHECK(((across.transpose() * V.topRows(2)) - gaussian_rows(X).topRows(2).transpose() * V.topRows(2))
            .cwiseAbs()
            .maxCoeff()
        < 1e-12);
  CHECK((model.P.transpose().transpose() * V - gaussian_rows(X) * V).cwiseAbs().maxCoeff() < 1e-12);
}

TEST_CASE("graphs and factors come in any storage order", "[public]") {
  const Eigen::MatrixXd X = normal_matrix(5, 2, 1);
  Eigen::MatrixXd A = X * X.transpose();
  A = A.cwiseAbs();
  A(0, 3) = 0;
  const Eigen::SparseMatrix<double> columns = A.sparseView();
  Mechanism given = smoothing;
  given.support = Graph{columns, "given"};
  const Eigen::MatrixXd want = A.array().colwise() / A.rowwise().sum().array();
  CHECK((given.self_operator(X).dense() - want).cwiseAbs().maxCoeff() < 1e-12);
  const Eigen::MatrixXd W = normal_matrix(3, 2, 3);
  CHECK(Mahalanobis{W}.cost<double>(X.row(0), X.row(1))
        == Approx((W * (X.row(0) - X.row(1)).transpose()).squaredNorm()));
}

/// The header names a neutral element; merging a default-constructed part threw.
TEST_CASE("a default-constructed part is neutral", "[public]") {
  const Eigen::MatrixXd X = normal_matrix(5, 2, 1), V = normal_matrix(5, 3, 2);
  Partial<double> all;
  for (Index i = 0; i < 5; ++i)
    all = merge(all, partial(smoothing, X, X.middleRows(i, 1), V.middleRows(i, 1)));
  CHECK((finish(smoothing, all) - gaussian_rows(X) * V).cwiseAbs().maxCoeff() < 1e-12);
  CHECK(merge(all, Partial<double>()).sum == all.sum);
  CHECK(merge(Partial<double>(), Partial<double>()).mass.size() == 0);
}

/// Progress ended wherever the last look had been, and small work never called.
TEST_CASE("progress ends at 1, once, whatever the size and however many parts", "[public]") {
  std::vector<double> told;
  const Execution run{.progress = [&](double fraction, const char*) { told.push_back(fraction); }};
  const auto ends = [&] {
    const bool right = !told.empty() && told.back() == 1 && std::count(told.begin(), told.end(), 1.0) == 1
                       && *std::min_element(told.begin(), told.end()) >= 0;
    told.clear();
    return right;
  };
  for (const Index n : {4, 3000}) {
    const Eigen::MatrixXd X = normal_matrix(n, 3, 1);
    const auto P = smoothing.self_operator(X, {.storage = "streamed"}, run);
    CHECK(ends());
    P.apply(X, run);
    CHECK(ends());
    kneighbors(Euclidean{}, X, X, 3, {}, run);
    CHECK(ends());
    kernel_regression(X, X.col(0), {.bandwidth = 1.0}, run).predict(X);
    CHECK(ends());
  }
  diffusion_maps(normal_matrix(300, 2, 1), {.n_neighbors = 10}, run);
  CHECK(ends());
  CHECK(refusal([&] { smoothing.self_operator(Eigen::MatrixXd(0, 3), {}, run); }) != "no error");
  CHECK(told.empty());
}

TEST_CASE("threads below zero are refused, however small the work", "[public]") {
  const Eigen::MatrixXd X = normal_matrix(4, 2, 1);
  CHECK(refusal([&] { kneighbors(Euclidean{}, X, X, 1, {}, {.n_jobs = -5}); })
        == "n_jobs must be a number of threads, or 0 for OMP_NUM_THREADS, else all cores; got -5.");
  CHECK(refusal([&] { smoothing.self_operator(X).apply(X, {.n_jobs = -1}); }) != "no error");
}

/// Errors said how Python would do it, and which law was missing but not how to declare it.
TEST_CASE("errors are about arguments, in no language", "[public]") {
  const auto P = smoothing.self_operator(normal_matrix(1200, 1, 1), {.storage = "streamed"});
  const auto limit = [](const auto& call) {
    try {
      call();
    } catch (const MemoryLimitError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  CHECK(limit([&] { P.dense({.memory_limit = 1000}); })
        == "the matrix itself needs 11 MiB (1200 x 1200 float64), limit 0.977 KiB; multiply with the operator instead or "
           "raise memory_limit.");
  const auto blocks = [](const Points<double>&, const Points<double>&, Tile<double> out) { out.setOnes(); };
  const Mechanism own{CustomMetric::from(blocks, {}, "mine"), Gaussian{1.0}};
  const std::string said = refusal([&] { own.self_operator(normal_matrix(3, 1, 1)); });
  CHECK(said.find("declared by distance_power: 1 where the cost is a distance") != std::string::npos);
  CHECK(said.find("got Custom(mine)") != std::string::npos);
  CHECK(repr(CustomMetric::from(blocks, {.symmetric = true, .distance_power = 2}, "mine"))
        == "Custom(mine, symmetric=True, distance_power=2)");
}
