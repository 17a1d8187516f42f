// The loops behind neighbor searches, on every instruction set: whatever the rounding, the rows must be those of a sort.
#include "engine/simd/targets.hpp"
// after the targets
#include <hwy/targets.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include <likewise/neighbors.hpp>

#include "catch.hpp"

using namespace likewise;

namespace {

/// Runs the engine on one instruction set.
class OnTarget {
 public:
  explicit OnTarget(std::int64_t target) {
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().DeInit();
  }
  ~OnTarget() {
    hwy::SetSupportedTargetsForTest(0);
    hwy::GetChosenTarget().DeInit();
  }
};

template <class Test> void on_every_target(const Test& test) {
  for (const std::int64_t target : hwy::SupportedAndGeneratedTargets()) {
    INFO(hwy::TargetName(target));
    const OnTarget chosen(target);
    test();
  }
}

template <class T> Matrix<T> normal(Index n, Index d, unsigned seed, double scale = 1, double offset = 0) {
  std::mt19937 random(seed);
  std::normal_distribution<double> coordinate;
  Matrix<T> points(n, d);
  for (Index i = 0; i < points.size(); ++i)
    points.data()[i] = static_cast<T>(offset + scale * coordinate(random));
  return points;
}

template <class T> Matrix<T> grid(Index n, Index d, int side, unsigned seed, double offset = 0) {
  std::mt19937 random(seed);
  std::uniform_int_distribution<int> whole(0, side - 1);
  Matrix<T> points(n, d);
  for (Index i = 0; i < points.size(); ++i) points.data()[i] = static_cast<T>(offset + whole(random));
  return points;
}

/// Squared distances in long double, sorted; the distances are those of the points as given.
template <class T>
std::vector<std::pair<long double, Index>> sorted_keys(const Matrix<T>& X, const Matrix<T>& Z, Index i,
                                                       bool alone) {
  std::vector<std::pair<long double, Index>> keys;
  for (Index j = 0; j < Z.rows(); ++j) {
    long double sum = 0;
    for (Index k = 0; k < X.cols(); ++k) {
      const long double difference = static_cast<long double>(X(i, k)) - static_cast<long double>(Z(j, k));
      sum += difference * difference;
    }
    if (!alone || i != j) keys.emplace_back(sum, j);
  }
  std::sort(keys.begin(), keys.end());
  return keys;
}

/// Rows that differ from the oracle's by more than what rounding in float64 may exchange.
template <class T>
Index wrong_rows(const NeighborTable<T>& table, const Matrix<T>& X, const Matrix<T>& Z, bool alone = false) {
  Index wrong = 0;
  for (Index i = 0; i < X.rows(); ++i) {
    const auto want = sorted_keys<T>(X, Z, i, alone);
    for (Index m = 0; m < table.indices.cols(); ++m) {
      const auto& [squared, j] = want[static_cast<std::size_t>(m)];
      if (table.indices(i, m) == j) continue;
      const auto found =
          std::find_if(want.begin(), want.end(),
                       [&, at = table.indices(i, m)](const auto& key) { return key.second == at; });
      if (found != want.end() && found->first != squared
          && std::abs(found->first - squared) <= 1e-14L * squared)
        continue;
      ++wrong;
      break;
    }
  }
  return wrong;
}

template <class T>
Index wrong_rows_of(const Matrix<T>& X, const Matrix<T>& Z, Index k, const std::string& algorithm) {
  return wrong_rows<T>(kneighbors<T>(Euclidean{}, X, Z, k, {algorithm}), X, Z);
}

template <class T> void check_data(const Matrix<T>& Z, Index k) {
  const Matrix<T> X = Z.topRows(std::min<Index>(Z.rows(), 60));
  for (const std::string algorithm : {"brute", "kd_tree"}) {
    INFO(algorithm);
    CHECK(wrong_rows_of<T>(X, Z, k, algorithm) == 0);
    CHECK(wrong_rows<T>(kneighbors<T>(Euclidean{}, Z, Z, k, {algorithm, true}), Z, Z, true) == 0);
  }
}

}  // namespace

TEST_CASE("every instruction set finds the rows of a sort", "[neighbors]") {
  on_every_target([] {
    check_data<float>(normal<float>(300, 5, 1), 7);
    check_data<double>(normal<double>(300, 5, 1), 7);
    check_data<float>(grid<float>(300, 3, 4, 2), 15);
    check_data<double>(grid<double>(300, 3, 4, 2, 1e4), 16);
    for (const Index k : {31, 32, 63, 64, 70, 200}) check_data<float>(normal<float>(250, 4, 3), k);
  });
}

TEST_CASE("sizes around every tile edge", "[neighbors]") {
  on_every_target([] {
    for (const Index n : {1, 2, 7, 8, 9, 15, 17, 23, 31, 32, 33, 47, 48, 49, 63, 64, 65, 95, 97, 129})
      for (const Index m : {1, 3, 4, 5, 8, 9, 63, 64, 65, 73})
        for (const std::string algorithm : {"brute", "kd_tree"}) {
          const Matrix<float> X = normal<float>(n, 3, 4), Z = normal<float>(m, 3, 5);
          CHECK(wrong_rows_of<float>(X, Z, std::min<Index>(m, 5), algorithm) == 0);
        }
    for (const Index d : {1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 33, 65})
      CHECK(wrong_rows_of<double>(normal<double>(50, d, 6), normal<double>(70, d, 7), 9, "brute") == 0);
    for (const Index k : {1, 14, 15, 16, 17, 30, 31, 32, 47, 48, 49, 62, 63, 64, 65, 79, 80})
      CHECK(wrong_rows_of<float>(normal<float>(20, 3, 8), normal<float>(80, 3, 9), k, "brute") == 0);
  });
}

TEST_CASE("queries that are the keys find what other queries at the same places find", "[neighbors]") {
  on_every_target([] {
    for (const Index n : {40, 49, 96, 97, 145, 500, 1000}) {
      const Matrix<float> Z = grid<float>(n, 4, 5, 10), X = Z;
      for (const bool alone : {false, true}) {
        const auto mirrored = kneighbors<float>(Euclidean{}, Z, Z, 12, {"brute", alone});
        const auto crossed = kneighbors<float>(Euclidean{}, X, Z, 12, {"brute", alone});
        CHECK(mirrored.indices == crossed.indices);
        CHECK(mirrored.distances == crossed.distances);
      }
      const auto cosine = kneighbors<float>(Cosine{}, Z, Z, 12, {"brute", true});
      CHECK(cosine.indices == kneighbors<float>(Cosine{}, X, Z, 12, {"brute", true}).indices);
    }
  });
}

TEST_CASE("where float32 cannot tell keys apart the rows are still exact", "[neighbors]") {
  // Two clusters of unlike scale, far apart; an offset; duplicates of one point.
  Matrix<float> clusters(2600, 8);
  clusters.topRows(1300) = normal<float>(1300, 8, 11, 1e-3, 100);
  clusters.bottomRows(1300) = normal<float>(1300, 8, 12, 10, -1000);
  Matrix<double> offset = normal<double>(600, 6, 13, 1, 1e6);
  Matrix<double> copies(900, 3);
  copies.topRows(450) = Matrix<double>::Constant(450, 3, 0.3);
  copies.bottomRows(450) = normal<double>(450, 3, 14);
  for (const std::string algorithm : {"brute", "kd_tree"}) {
    CHECK(wrong_rows<float>(kneighbors<float>(Euclidean{}, clusters, clusters, 6, {algorithm, true}),
                            clusters, clusters, true)
          == 0);
    CHECK(wrong_rows_of<double>(offset, offset, 10, algorithm) == 0);
    CHECK(wrong_rows_of<double>(copies, copies, 10, algorithm) == 0);
  }
  for (const float scale : {1e-25F, 1e-12F, 1e12F, 1e18F, 1e25F}) {
    const Matrix<float> Z = scale * normal<float>(200, 4, 15);
    check_data<float>(Z, 5);
  }
}

TEST_CASE("rows do not depend on threads, in float32, float64, mirrored, split over keys", "[neighbors]") {
  const Matrix<float> Z = grid<float>(3000, 6, 3, 16), few = Z.topRows(20);
  const Matrix<float> many = normal<float>(20000, 6, 17);
  for (const std::string algorithm : {"brute", "kd_tree"}) {
    const auto rows = [&](const Matrix<float>& X, const Matrix<float>& keys, int n_jobs) {
      return kneighbors<float>(Euclidean{}, X, keys, 9, {algorithm}, Execution{.n_jobs = n_jobs}).indices;
    };
    CHECK(rows(Z, Z, 1) == rows(Z, Z, 3));
    CHECK(rows(few, many, 1) == rows(few, many, 4));
    CHECK(rows(many.topRows(20), many, 2).col(0) == Vector<Index>::LinSpaced(20, 0, 19));
  }
}

TEST_CASE("a radius in float32 finds the rows of a comparison", "[neighbors]") {
  on_every_target([] {
    const Matrix<float> Z = grid<float>(500, 3, 5, 18), X = grid<float>(70, 3, 5, 19);
    for (const std::string algorithm : {"brute", "kd_tree"}) {
      const auto table =
          radius_neighbors<float>(Euclidean{}, X, Z, std::sqrt(3.0), NeighborOptions{algorithm});
      for (Index i = 0; i < X.rows(); ++i) {
        std::vector<Index> want;
        for (const auto& [squared, j] : sorted_keys<float>(X, Z, i, false))
          if (squared <= 3) want.push_back(j);
        const auto at = table.indices.begin();
        CHECK(std::vector<Index>(at + table.offsets[static_cast<std::size_t>(i)],
                                 at + table.offsets[static_cast<std::size_t>(i) + 1])
              == want);
      }
    }
  });
}
