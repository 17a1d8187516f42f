// What decides among found neighbors: distances by definition in SIMD, and which points are copies.
#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <set>
#include <vector>

#include "catch.hpp"
#include "engine/center.hpp"
#include "engine/simd/squared_distances.hpp"
#include "select_bandwidth/places.hpp"

#include <likewise/neighbors.hpp>

using namespace likewise;

namespace {

template <class T> Matrix<T> some_points(Index n, Index d, unsigned seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal;
  Matrix<T> X(n, d);
  for (T& x : X.reshaped()) x = static_cast<T>(normal(random));
  return X;
}

template <class T> double direct(const Matrix<T>& X, Index i, Index j) {
  long double sum = 0;
  for (Index k = 0; k < X.cols(); ++k) {
    const long double difference = static_cast<long double>(X(i, k)) - static_cast<long double>(X(j, k));
    sum += difference * difference;
  }
  return static_cast<double>(sum);
}

template <class T> double half_chord(const Matrix<T>& X, Index i, Index j) {
  long double a = 0, b = 0, sum = 0;
  for (Index k = 0; k < X.cols(); ++k) {
    a += static_cast<long double>(X(i, k)) * static_cast<long double>(X(i, k));
    b += static_cast<long double>(X(j, k)) * static_cast<long double>(X(j, k));
  }
  for (Index k = 0; k < X.cols(); ++k) {
    const long double difference =
        static_cast<long double>(X(i, k)) / std::sqrt(a) - static_cast<long double>(X(j, k)) / std::sqrt(b);
    sum += difference * difference;
  }
  return static_cast<double>(sum / 2);
}

}  // namespace

TEMPLATE_TEST_CASE("distances by definition at every width around a vector's", "[neighbors]", float, double) {
  using T = TestType;
  constexpr Index n = 21;
  std::vector<std::ptrdiff_t> keys, backwards;
  for (Index j = 0; j < n; ++j) keys.push_back(j);
  backwards.assign(keys.rbegin(), keys.rend());
  for (Index d = 1; d <= 70; ++d) {
    const Matrix<T> X = some_points<T>(n, d, static_cast<unsigned>(d));
    std::vector<double> squares(n), again(n), chords(n);
    engine::simd::squared_distances<T>(X.row(3).data(), X.data(), d, keys.data(), n, d, squares.data());
    engine::simd::squared_distances<T>(X.row(3).data(), X.data(), d, backwards.data(), n, d, again.data());
    engine::simd::half_chords<T>(X.row(3).data(), X.data(), d, keys.data(), n, d, chords.data());
    for (Index j = 0; j < n; ++j) {
      const auto at = static_cast<std::size_t>(j);
      CHECK(squares[at] == Approx(direct<T>(X, 3, j)).epsilon(1e-14));
      CHECK(again[static_cast<std::size_t>(n - 1) - at] == squares[at]);
      CHECK(std::abs(chords[at] - half_chord<T>(X, 3, j)) < 1e-15);
    }
    CHECK(squares[3] == 0);
    CHECK(chords[3] == 0);
  }
}

TEST_CASE("a chord of lengths whose squares vanish or overflow is left to the metric", "[neighbors]") {
  Matrix<double> X(4, 3);
  X << 1, 2, 3, 0, 0, 0, 1e-170, 2e-170, 3e-170, 1e170, 2e170, -3e170;
  const std::vector<std::ptrdiff_t> keys{0, 1, 2, 3};
  double chords[4];
  engine::simd::half_chords<double>(X.row(0).data(), X.data(), 3, keys.data(), 4, 3, chords);
  CHECK(chords[0] == 0);
  for (int j = 1; j < 4; ++j) CHECK(std::isnan(chords[j]));
  const auto table = kneighbors<double>(Cosine{}, X.topRows(1), X, 4);
  const double turned = 1 - (1.0 + 4 - 9) / 14;
  const double expected[4] = {0, 0, 1, turned};
  const Index indices[4] = {0, 2, 1, 3};
  for (Index m = 0; m < 4; ++m) {
    CHECK(std::abs(table.distances(0, m) - expected[m]) < 1e-15);
    CHECK(table.indices(0, m) == indices[m]);
  }
}

TEST_CASE("copies share a place, in order of first appearance; 0 is -0 and weight 0 is nowhere",
          "[bandwidth]") {
  Matrix<double> Z(7, 2);
  Z << 1, 2, 0, 5, 1, 2, -0.0, 5, 3, 3, 1, 2, 3, 3;
  Vector<double> log_weights = Vector<double>::Zero(7);
  log_weights(4) = -std::numeric_limits<double>::infinity();
  CHECK(bandwidths::place_of_points<double>(Z, log_weights) == std::vector<Index>{0, 1, 0, 1, -1, 0, 2});
}

TEST_CASE("places are those of comparing every pair", "[bandwidth]") {
  Matrix<float> Z = some_points<float>(400, 3, 1).array().round();
  const std::vector<Index> place = bandwidths::place_of_points<float>(Z, Vector<double>::Zero(400));
  for (std::size_t i = 0; i < 400; ++i)
    for (std::size_t j = 0; j < i; ++j)
      REQUIRE((place[i] == place[j]) == (Z.row(static_cast<Index>(i)) == Z.row(static_cast<Index>(j))));
}

TEST_CASE("many keys, few queries: whole and broken powers by tree and by tiles", "[neighbors]") {
  const Matrix<double> Z = some_points<double>(20000, 2, 3), X = some_points<double>(5, 2, 4);
  for (const double p : {1.0, 1.5, 3.0, 8.0, 9.0}) {
    const Metric metric = Minkowski{p};
    const auto by_tree = kneighbors<double>(metric, X, Z, 4, {.algorithm = "kd_tree"}),
               by_tiles = kneighbors<double>(metric, X, Z, 4, {.algorithm = "brute"}),
               chosen = kneighbors<double>(metric, X, Z, 4);
    CHECK(by_tree.indices == by_tiles.indices);
    CHECK(chosen.indices == by_tiles.indices);
    CHECK(by_tree.distances == by_tiles.distances);
    for (Index i = 0; i < 5; ++i)
      for (Index m = 0; m < 4; ++m) {
        const auto apart = (X.row(i) - Z.row(by_tiles.indices(i, m))).array().abs();
        CHECK(by_tiles.distances(i, m) == Approx(std::pow(apart.pow(p).sum(), 1 / p)).epsilon(1e-13));
      }
  }
}

TEST_CASE("many keys that spread in many dimensions grow no tree for one call", "[neighbors]") {
  const Matrix<float> Z = some_points<float>(20000, 24, 5), X = some_points<float>(1500, 24, 6);
  const Execution run{.n_jobs = 1};
  CHECK(kneighbors<float>(Euclidean{}, X, Z, 3, {}, run).algorithm == "brute");
  const Matrix<float> flat = Z.leftCols(2), flat_queries = X.leftCols(2);
  CHECK(kneighbors<float>(Euclidean{}, flat_queries, flat, 3, {}, run).algorithm == "kd_tree");
}

TEST_CASE("rows that want most of the keys, and a first row alone, find what bounds find", "[neighbors]") {
  for (const Metric& metric :
       {Metric(Euclidean{}), Metric(Cosine{}), Metric(Manhattan{}), Metric(Minkowski{2.5})})
    for (const Index d : {1, 3, 33})
      for (const Index n : {1, 2, 53, 200}) {
        const Matrix<double> rounded = (2 * some_points<double>(n, d, 7)).array().round() + 0.25;
        const Matrix<double> X = (2 * some_points<double>(70, d, 8)).array().round() + 0.25;
        const PreparedKeys<double> keys(metric, rounded);
        for (const Index k : {Index(1), (n + 1) / 2, n}) {
          const auto together = kneighbors<double>(keys, X, k);
          for (Index i = 0; i < 70; i += 23) {
            const auto alone = kneighbors<double>(metric, X.row(i), rounded, k);
            REQUIRE(alone.indices.row(0) == together.indices.row(i));
            REQUIRE(alone.distances.row(0) == together.distances.row(i));
          }
          for (Index i = 0; i < 70; ++i) {
            REQUIRE(std::set<Index>(together.indices.row(i).begin(), together.indices.row(i).end()).size()
                    == static_cast<std::size_t>(k));
            for (Index m = 1; m < k; ++m) REQUIRE(together.distances(i, m - 1) <= together.distances(i, m));
          }
        }
      }
}

TEST_CASE("the center is the median, column by column, of as many rows as are looked at", "[neighbors]") {
  for (const Index d : {1, 3, 300})
    for (Index n = 1; n <= 31; ++n) {
      const Matrix<double> X = some_points<double>(n, d, static_cast<unsigned>(n));
      const Vector<double> center = engine::center_of<double>(X);
      for (Index k = 0; k < d; ++k) {
        std::vector<double> column(X.col(k).begin(), X.col(k).end());
        std::sort(column.begin(), column.end());
        REQUIRE(center(k) == column[static_cast<std::size_t>(n / 2)]);
      }
    }
  Matrix<float> far = some_points<float>(1000, 4, 1).array() + 5;
  far.topRows(300).setConstant(1e30F);
  CHECK((engine::center_of<float>(far).array() - 5).abs().maxCoeff() < 3);
}
