// Spectral embedding and clustering against plain dense linear algebra.
#include <cmath>
#include <random>
#include <set>

#include <likewise/algorithms/spectral_clustering.hpp>

#include "catch.hpp"
#include "oracles.hpp"

using namespace likewise;

namespace {

/// Two concentric half circles that interleave, 2 x n_each points in alternation.
Matrix<double> moons(Index n_each, double noise = 0.05) {
  std::mt19937 random(7);
  std::normal_distribution<double> normal(0, noise);
  Matrix<double> X(2 * n_each, 2);
  for (Index i = 0; i < X.rows(); ++i) {
    const double t = 3.14159265358979 * static_cast<double>(i / 2) / static_cast<double>(n_each - 1);
    if (i % 2 == 0)
      X.row(i) << std::cos(t), std::sin(t);
    else
      X.row(i) << 1 - std::cos(t), 0.5 - std::sin(t);
    X(i, 0) += normal(random);
    X(i, 1) += normal(random);
  }
  return X;
}

/// Equal partitions, whatever the numbers are called.
bool same_partition(const std::vector<Index>& a, const std::vector<Index>& b) {
  std::set<std::pair<Index, Index>> pairs;
  for (std::size_t i = 0; i < a.size(); ++i) pairs.emplace(a[i], b[i]);
  return pairs.size() == std::set<Index>(a.begin(), a.end()).size()
         && pairs.size() == std::set<Index>(b.begin(), b.end()).size();
}

std::vector<Index> modulo(Index n, Index m) {
  std::vector<Index> labels;
  for (Index i = 0; i < n; ++i) labels.push_back(i % m);
  return labels;
}

}  // namespace

TEST_CASE("spectral embedding is u / sqrt(D) of the dense eigenproblem", "[spectral_embedding]") {
  const Matrix<double> X = moons(30);
  const Mechanism m{Euclidean{}, Gaussian{0.3}, AllPairs{}, Symmetric{}};
  const auto fit = spectral_embedding(X, {.n_components = 3, .mechanism = m});
  Eigen::MatrixXd K(60, 60);
  for (Index i = 0; i < 60; ++i)
    for (Index j = 0; j < 60; ++j) K(i, j) = std::exp(-(X.row(i) - X.row(j)).squaredNorm() / (2 * 0.3 * 0.3));
  const Eigen::VectorXd D = K.rowwise().sum();
  const Eigen::VectorXd root = D.cwiseSqrt().cwiseInverse();
  const oracles::Eigenpairs oracle = oracles::symmetric_eigenpairs(root.asDiagonal() * K * root.asDiagonal());
  for (Index j = 0; j < 4; ++j) CHECK(fit.spectrum.values(j) == Approx(oracle.values(59 - j)).margin(1e-12));
  for (Index j = 0; j < 3; ++j) {
    Eigen::VectorXd want = root.asDiagonal() * oracle.vectors.col(58 - j);
    if (want.dot(fit.embedding.col(j)) < 0) want = -want;
    CHECK((fit.embedding.col(j) - want).cwiseAbs().maxCoeff() < 1e-10);
  }
}

TEST_CASE("the same embedding under row normalization, and at the training points again",
          "[spectral_embedding]") {
  const Matrix<double> X = moons(30);
  Mechanism m{Euclidean{}, Gaussian{0.3}, AllPairs{}, Symmetric{}};
  const auto symmetric = spectral_embedding(X, {.n_components = 3, .mechanism = m});
  m.normalization = RowStochastic{};
  const auto row = spectral_embedding(X, {.n_components = 3, .mechanism = m});
  for (Index j = 0; j < 3; ++j) {
    const double sign = symmetric.embedding.col(j).dot(row.embedding.col(j)) < 0 ? -1 : 1;
    CHECK((symmetric.embedding.col(j) - sign * row.embedding.col(j)).cwiseAbs().maxCoeff() < 1e-10);
  }
  CHECK((symmetric.transform(X) - symmetric.embedding).cwiseAbs().maxCoeff() < 1e-10);
  CHECK((row.transform(X) - row.embedding).cwiseAbs().maxCoeff() < 1e-10);
}

TEST_CASE("moons are told apart by every kind of label, and so are new points", "[spectral_clustering]") {
  const auto kind = GENERATE(std::string("kmeans"), std::string("cluster_qr"), std::string("discretize"));
  const auto mechanism = GENERATE(Mechanism{Euclidean{}, Gaussian{0.15}, AllPairs{}, Symmetric{}},
                                  Mechanism{Euclidean{}, Gaussian{0.15}, AllPairs{}, RowStochastic{}},
                                  neighbor_graph_mechanism(6));
  const auto fit =
      spectral_clustering(moons(100), {.n_clusters = 2, .mechanism = mechanism, .assign_labels = kind});
  CHECK(same_partition(fit.labels(), modulo(200, 2)));
  std::vector<Index> both = fit.labels();
  const std::vector<Index> at_new = fit.predict(moons(40, 0.03));
  both.insert(both.end(), at_new.begin(), at_new.end());
  CHECK(same_partition(both, modulo(280, 2)));
}

TEST_CASE("a disconnected graph's components are its clusters", "[spectral_clustering]") {
  Matrix<double> X(90, 2);
  std::mt19937 random(5);
  std::normal_distribution<double> normal;
  for (Index i = 0; i < 90; ++i)
    X.row(i) << normal(random) + 100.0 * static_cast<double>(i % 3), normal(random);
  const auto kind = GENERATE(std::string("kmeans"), std::string("cluster_qr"), std::string("discretize"));
  const auto n_clusters = GENERATE(Index{3}, Index{0});
  const auto fit = spectral_clustering(
      X, {.n_clusters = n_clusters, .mechanism = neighbor_graph_mechanism(20), .assign_labels = kind});
  CHECK(fit.n_clusters == 3);
  CHECK(fit.map.spectrum.n_components == 3);
  CHECK(same_partition(fit.labels(), modulo(90, 3)));
  CHECK(fit.predict(X) == fit.labels());
}

TEST_CASE("more parts than clusters are looked for", "[spectral_clustering]") {
  const auto fit = spectral_clustering(
      moons(3), {.n_clusters = 0, .max_clusters = 2, .mechanism = neighbor_graph_mechanism(1)});
  CHECK(fit.n_clusters == 2);
  CHECK(!fit.gap_stands_out);
  CHECK(fit.map.spectrum.n_components == 6);
}

TEST_CASE("the eigengap", "[spectral_clustering]") {
  const auto found = [](const Vector<double>& values, Index components, Index most = 20) {
    const Eigengap gap = eigengap(values, components, most);
    return gap.stands_out ? gap.n_clusters : -gap.n_clusters;
  };
  CHECK(found(Vector<double>{{1, 0.99, 0.98, 0.5, 0.4}}, 1) == 3);
  CHECK(found(Vector<double>{{1, 0.2, 0.1}}, 1) == -1);
  CHECK(found(Vector<double>{{1, 0.99, 0.96, 0.91, 0.84}}, 1) == -1);    // a line: 1 : 4 : 9 : 16
  CHECK(found(Vector<double>{{1, 1, 0.99, 0.99, 0.96, 0.96}}, 2) == 2);  // two of them
  CHECK(found(Vector<double>{{1, 1 - 1e-9, 1 - 1e-5, 0.5, 0.4}}, 1)
        == 3);  // the widest of two that stand out
  CHECK(found(Vector<double>{{1, 1, 1}}, 3) == 3);
  CHECK(found(Vector<double>{{1, 1, 1}}, 3, 2) == -2);
}

TEST_CASE("spectral clustering refuses what does not fit", "[spectral_clustering]") {
  const Matrix<double> X = moons(4);
  CHECK_THROWS_WITH(spectral_clustering(X, {.n_clusters = 9}), Catch::Contains("n_clusters must be"));
  CHECK_THROWS_WITH(spectral_clustering(X, {.n_clusters = 2, .assign_labels = "qr"}),
                    Catch::Contains("assign_labels"));
  CHECK_THROWS_WITH(
      spectral_clustering(X, {.n_clusters = 2, .n_components = 3, .assign_labels = "discretize"}),
      Catch::Contains("n_components must be"));
  CHECK_THROWS_WITH(spectral_embedding(X, {.n_components = 8, .mechanism = neighbor_graph_mechanism(3)}),
                    Catch::Contains("n_components must be an int in [1, 7]"));
}
