// Neighbor regression and classification against sorting by hand.
#include <algorithm>
#include <cmath>
#include <numeric>

#include <likewise/algorithms/k_neighbors.hpp>
#include <likewise/operator.hpp>

#include "catch.hpp"
#include "testing.hpp"

using namespace likewise;

namespace {

double distance(const Matrix<double>& X, Index i, const Matrix<double>& Z, Index j) {
  return (X.row(i) - Z.row(j)).norm();
}

/// Keys by (distance, index), without `skip`.
std::vector<Index> sorted_keys(const Matrix<double>& X, Index i, const Matrix<double>& Z, Index skip = -1) {
  std::vector<Index> order;
  for (Index j = 0; j < Z.rows(); ++j)
    if (j != skip) order.push_back(j);
  std::stable_sort(order.begin(), order.end(),
                   [&](Index a, Index b) { return distance(X, i, Z, a) < distance(X, i, Z, b); });
  return order;
}

/// 1/d, only the copies where there are any.
Vector<double> inverse_distances(const Matrix<double>& X, Index i, const Matrix<double>& Z,
                                 const std::vector<Index>& keys) {
  Vector<double> w(static_cast<Index>(keys.size()));
  for (Index a = 0; a < w.size(); ++a) w(a) = distance(X, i, Z, keys[static_cast<std::size_t>(a)]);
  if (w.minCoeff() == 0) return w.unaryExpr([](double d) { return d == 0 ? 1.0 : 0.0; });
  return w.cwiseInverse();
}

}  // namespace

TEST_CASE("k-NN regression is the mean of the k nearest, uniform or by distance") {
  for (const bool ties : {false, true}) {
    const Matrix<double> Z = ties ? lattice(60, 2, 1) : normal_matrix(60, 2, 1);
    const Matrix<double> X = ties ? lattice(25, 2, 2) : normal_matrix(25, 2, 2);
    const Matrix<double> Y = normal_matrix(60, 2, 3);
    for (const Index k : {Index(1), Index(5), Index(60)}) {
      const auto uniform = k_neighbors_regression(Z, Y, {.n_neighbors = k}).predict(X);
      const auto inverse =
          k_neighbors_regression(Z, Y, {.n_neighbors = k, .weights = InverseDistance{}}).predict(X);
      for (Index i = 0; i < X.rows(); ++i) {
        std::vector<Index> keys = sorted_keys(X, i, Z);
        keys.resize(static_cast<std::size_t>(k));
        const Matrix<double> values = Y(keys, Eigen::all);
        CHECK((uniform.mean.row(i) - values.colwise().mean()).cwiseAbs().maxCoeff() < 1e-12);
        const Vector<double> w = inverse_distances(X, i, Z, keys);
        CHECK((inverse.mean.row(i) - w.transpose() * values / w.sum()).cwiseAbs().maxCoeff() < 1e-12);
      }
    }
  }
}

TEST_CASE("1/d is of the distance that kneighbors reports") {
  const Matrix<double> Z = normal_matrix(20, 3, 16), X = normal_matrix(5, 3, 17),
                       Y = normal_matrix(20, 1, 18);
  const auto got =
      k_neighbors_regression(Z, Y, {.n_neighbors = 20, .weights = InverseDistance{}, .metric = Cosine{}});
  const Matrix<double> cosines = X.rowwise().normalized() * Z.rowwise().normalized().transpose();
  for (Index i = 0; i < X.rows(); ++i) {
    const Vector<double> w = (1 - cosines.row(i).transpose().array()).inverse();
    CHECK(got.predict(X).mean(i, 0) == Approx(w.dot(Y.col(0)) / w.sum()).epsilon(1e-9));
  }
}

TEST_CASE("votes: ties go to the lowest class") {
  const Matrix<double> Z = lattice(80, 2, 4), X = lattice(40, 2, 5);
  std::vector<Index> labels;
  for (Index i = 0; i < 80; ++i) labels.push_back((i * 7) % 4);
  const auto got = k_neighbors_classification(Z, labels, 4, {.n_neighbors = 6}).predict(X);
  for (Index i = 0; i < X.rows(); ++i) {
    const std::vector<Index> keys = sorted_keys(X, i, Z);
    std::vector<int> votes(4);
    for (std::size_t a = 0; a < 6; ++a)
      ++votes[static_cast<std::size_t>(labels[static_cast<std::size_t>(keys[a])])];
    CHECK(got[static_cast<std::size_t>(i)] == std::max_element(votes.begin(), votes.end()) - votes.begin());
  }
}

TEST_CASE("left out: a training point is no neighbor of its own") {
  const Matrix<double> Z = lattice(30, 2, 6), Y = normal_matrix(30, 1, 7);
  const auto got = k_neighbors_regression(Z, Y, {.n_neighbors = 4}).predict_left_out();
  for (Index i = 0; i < 30; ++i) {
    std::vector<Index> keys = sorted_keys(Z, i, Z, i);
    keys.resize(4);
    CHECK(got.mean(i, 0) == Approx(Matrix<double>(Y(keys, Eigen::all)).mean()).epsilon(1e-12));
  }
}

TEST_CASE("radius: all within, the boundary included; queries without neighbors are reported") {
  const Matrix<double> Z = lattice(40, 2, 8), Y = normal_matrix(40, 1, 9);
  Matrix<double> X = lattice(2500, 2, 10);  // more than are searched for at once
  X.row(7).setConstant(50);
  X.row(2400).setConstant(-50);
  const auto got = radius_neighbors_regression(Z, Y, {.radius = 2}).predict(X);
  for (Index i = 0; i < X.rows(); ++i) {
    double sum = 0, count = 0;
    for (Index j = 0; j < 40; ++j)
      if (distance(X, i, Z, j) <= 2) sum += Y(j, 0), ++count;
    CHECK(got.empty[static_cast<std::size_t>(i)] == (count == 0));
    CHECK(got.mean(i, 0) == Approx(count > 0 ? sum / count : 0).margin(1e-12));
  }
  std::vector<Index> labels(40, 1);
  CHECK(radius_neighbors_classification(Z, labels, 2, {.radius = 2}).predict(X)[7] == -1);
}

TEST_CASE("k beyond the points is refused by name") {
  const Matrix<double> Z = normal_matrix(5, 2, 14), Y = normal_matrix(5, 1, 15);
  CHECK(contains(refusal([&] { k_neighbors_regression(Z, Y, {.n_neighbors = 6}); }),
                 "n_neighbors must be an int in [1, 5]"));
  CHECK(contains(refusal([&] { k_neighbors_regression(Z, Y, {.n_neighbors = 0}); }), "n_neighbors"));
  CHECK(contains(refusal([&] { k_neighbors_regression(Z, Y.topRows(3)); }), "y must be of length 5"));
}

TEST_CASE("any kernel weighs the neighbors, and the estimator is the operator") {
  const Matrix<float> Z = normal_matrix(50, 3, 11).cast<float>(), X = normal_matrix(10, 3, 12).cast<float>();
  const Matrix<float> Y = normal_matrix(50, 1, 13).cast<float>();
  const auto fitted =
      k_neighbors_regression(Z, Y, {.n_neighbors = 8, .weights = Gaussian{}, .metric = Manhattan{}});
  CHECK(
      std::get<Gaussian>(fitted.mechanism.kernel).bandwidth.is_number());  // "median", found for these points
  const Matrix<double> keys = Z.cast<double>(), queries = X.cast<double>(), targets = Y.cast<double>();
  CHECK(fitted.predict(X).mean == fitted.mechanism.cross_operator(queries, keys) * targets);
}

// Kind: sums of rounded 1/k instead of counts that are divided once.
TEST_CASE("neighbors of equal weight count, and a mean divides once") {
  for (Index k = 1; k <= 50; ++k) {
    const Matrix<double> Z = Matrix<double>::Zero(k, 1), five = Matrix<double>::Constant(k, 1, 5);
    std::vector<Index> labels;
    for (Index i = 0; i < k; ++i) labels.push_back((i * 3 + 1) % 2);
    const double ones = static_cast<double>(std::count(labels.begin(), labels.end(), 1));
    for (const bool by_radius : {false, true}) {
      const auto mean = by_radius ? radius_neighbors_regression(Z, five).predict(Z)
                                  : k_neighbors_regression(Z, five, {.n_neighbors = k}).predict(Z);
      CHECK((mean.mean.array() == 5).all());
      const auto vote = by_radius ? radius_neighbors_classification(Z, labels, 2)
                                  : k_neighbors_classification(Z, labels, 2, {.n_neighbors = k});
      CHECK(vote.predict_proba(Z).mean(0, 1) == ones / static_cast<double>(k));
      CHECK(vote.predict(Z)[0] == (2 * ones > static_cast<double>(k) ? 1 : 0));
    }
  }
}

// Kind: float64 targets rounded to the type of float32 points.
TEST_CASE("targets keep their digits beside float points") {
  Matrix<float> Z(2, 1);
  Z << 0, 1;
  Matrix<double> Y(2, 2);
  Y << 1700000001, 1e39, 16777217, -1e-60;
  CHECK(k_neighbors_regression(Z, Y, {.n_neighbors = 1}).predict(Z).mean == Y);
  CHECK(radius_neighbors_regression(Z, Y, {.radius = 0.5}).predict(Z).mean == Y);
}

// Kind: the nearest key of an empty row was looked for among the row's edges, of which a radius leaves none.
TEST_CASE("a row that a radius leaves empty takes its nearest key where the policy says so") {
  Matrix<double> Z(3, 1), X(2, 1), Y(3, 1);
  Z << 0, 1, 5;
  X << -20, 3.1;
  Y << 3, 4, 6;
  const Mechanism m{Euclidean{}, Indicator{}, Radius{1}, RowStochastic{}, OneStep{}, EmptyRow::nearest};
  const auto P = m.cross_operator(X, Z);
  CHECK((P * Y)(0, 0) == 3);
  CHECK((P * Y)(1, 0) == 6);
  CHECK((P.dense() * Y - P * Y).isZero(0));
  const auto alone = Mechanism{Euclidean{},     Indicator{}, Support(LeaveOneOut{}) & Support(Radius{1}),
                               RowStochastic{}, OneStep{},   EmptyRow::nearest}
                         .self_operator(Z);
  CHECK((alone * Y)(2, 0) == 4);
}
