// Nearest neighbors against all direct distances, sorted.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include <likewise/error.hpp>
#include <likewise/neighbors.hpp>
#include <nanoflann.hpp>

#include "catch.hpp"
#include "neighbors/search.hpp"

using namespace likewise;

namespace {

using Pair = std::pair<double, Index>;

double euclidean(const double* x, const double* z, Index d) {
  double sum = 0;
  for (Index k = 0; k < d; ++k) sum += (x[k] - z[k]) * (x[k] - z[k]);
  return std::sqrt(sum);
}
double manhattan(const double* x, const double* z, Index d) {
  double sum = 0;
  for (Index k = 0; k < d; ++k) sum += std::abs(x[k] - z[k]);
  return sum;
}
double chebyshev(const double* x, const double* z, Index d) {
  double largest = 0;
  for (Index k = 0; k < d; ++k) largest = std::max(largest, std::abs(x[k] - z[k]));
  return largest;
}
double cubic(const double* x, const double* z, Index d) {
  double sum = 0;
  for (Index k = 0; k < d; ++k) sum += std::pow(std::abs(x[k] - z[k]), 3);
  return std::cbrt(sum);
}
double minus_dot(const double* x, const double* z, Index d) {
  double sum = 0;
  for (Index k = 0; k < d; ++k) sum -= x[k] * z[k];
  return sum;
}
double one_minus_cosine(const double* x, const double* z, Index d) {
  return 1 + minus_dot(x, z, d) / std::sqrt(minus_dot(x, x, d) * minus_dot(z, z, d));
}

/// All keys of query i by (distance, index).
template <class Distance>
std::vector<Pair> sorted_keys(Distance distance, const Matrix<double>& X, const Matrix<double>& Z, Index i,
                              bool exclude_self = false) {
  std::vector<Pair> keys;
  for (Index j = 0; j < Z.rows(); ++j)
    if (!exclude_self || i != j) keys.emplace_back(distance(X.row(i).data(), Z.row(j).data(), X.cols()), j);
  std::sort(keys.begin(), keys.end());
  return keys;
}

Matrix<double> normal_points(Index n, Index d, unsigned seed, double offset = 0) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  Matrix<double> points(n, d);
  for (Index i = 0; i < n; ++i)
    for (Index k = 0; k < d; ++k) points(i, k) = offset + normal(random);
  return points;
}

Matrix<double> grid_points(Index n, Index d, int side, unsigned seed, double offset = 0) {
  std::mt19937 random(seed);
  std::uniform_int_distribution<int> whole(0, side - 1);
  Matrix<double> points(n, d);
  for (Index i = 0; i < n; ++i)
    for (Index k = 0; k < d; ++k) points(i, k) = offset + whole(random);
  return points;
}

/// Rows whose index sets or distances differ from the oracle's. On grids the oracle's arithmetic is exact.
template <class T, class Distance>
Index wrong_rows(const NeighborTable<T>& table, Distance distance, const Matrix<double>& X,
                 const Matrix<double>& Z, bool exclude_self = false, double tolerance = 1e-14) {
  Index wrong = 0;
  for (Index i = 0; i < X.rows(); ++i) {
    const std::vector<Pair> want = sorted_keys(distance, X, Z, i, exclude_self);
    bool right = true;
    for (Index m = 0; m < table.indices.cols(); ++m) {
      const auto [d, j] = want[static_cast<std::size_t>(m)];
      right = right && table.indices(i, m) == j
              && std::abs(static_cast<double>(table.distances(i, m)) - d) <= tolerance * (1 + std::abs(d));
    }
    wrong += !right;
  }
  return wrong;
}

NeighborTable<double> find(const Metric& metric, const Matrix<double>& X, const Matrix<double>& Z, Index k,
                           const NeighborOptions& options = {}) {
  return kneighbors<double>(metric, X, Z, k, options);
}

std::string message_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const InvalidArgument& error) {
    return error.what();
  }
  return "nothing was thrown";
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("ties on an integer grid go to the lowest index, in every algorithm", "[neighbors]") {
  const Matrix<double> Z = grid_points(900, 3, 8, 1), X = grid_points(2000, 3, 8, 2);
  for (const std::string algorithm : {"brute", "kd_tree", "auto"}) {
    const NeighborOptions options{algorithm};
    CHECK(wrong_rows(find(Euclidean{}, X, Z, 10, options), euclidean, X, Z) == 0);
    CHECK(wrong_rows(find(Manhattan{}, X, Z, 10, options), manhattan, X, Z) == 0);
    CHECK(wrong_rows(find(Minkowski{3}, X, Z, 10, options), cubic, X, Z) == 0);
    CHECK(wrong_rows(find(Chebyshev{}, X, Z, 10, options), chebyshev, X, Z) == 0);
  }
  CHECK(wrong_rows(find(DotProduct{}, X, Z, 10), minus_dot, X, Z) == 0);
}

TEST_CASE("the oracle comparison sees a tie that went to a higher index", "[neighbors]") {
  const Matrix<double> Z = grid_points(300, 2, 5, 1), X = grid_points(50, 2, 5, 2);
  NeighborTable<double> table = find(Euclidean{}, X, Z, 4);
  const std::vector<Pair> keys = sorted_keys(euclidean, X, Z, 7);
  REQUIRE(keys[3].first == keys[4].first);
  table.indices(7, 3) = keys[4].second;
  CHECK(wrong_rows(table, euclidean, X, Z) == 1);
}

TEST_CASE("an offset of 10000 costs no neighbor", "[neighbors]") {
  for (const double offset : {1e4, -1e4}) {
    const Matrix<double> Z = grid_points(700, 4, 4, 3, offset), X = grid_points(300, 4, 4, 4, offset);
    for (const std::string algorithm : {"brute", "kd_tree"}) {
      CHECK(wrong_rows(find(Euclidean{}, X, Z, 12, {algorithm}), euclidean, X, Z) == 0);
      const auto single =
          kneighbors<float>(Euclidean{}, X.cast<float>(), Z.cast<float>(), 12, NeighborOptions{algorithm});
      CHECK(wrong_rows(single, euclidean, X, Z, false, 1e-7) == 0);
    }
    const Matrix<double> P = normal_points(400, 6, 5, offset), Q = normal_points(100, 6, 6, offset);
    CHECK(wrong_rows(find(Euclidean{}, Q, P, 12, {"brute"}), euclidean, Q, P) == 0);
  }
}

TEST_CASE("any width from 1 to 70, algorithms agree to the last bit", "[neighbors]") {
  for (const Index d : {1, 2, 3, 5, 8, 13, 16, 33, 64, 70}) {
    const Matrix<double> Z = normal_points(600, d, 7), X = normal_points(70, d, 8);
    for (const Metric& metric :
         {Metric(Euclidean{}), Metric(SquaredEuclidean{}), Metric(Manhattan{}), Metric(Minkowski{1}),
          Metric(Minkowski{2}), Metric(Minkowski{1.5}), Metric(Chebyshev{}),
          Metric(Minkowski{std::numeric_limits<double>::infinity()})}) {
      const auto brute = find(metric, X, Z, 9, {"brute"}), tree = find(metric, X, Z, 9, {"kd_tree"});
      CHECK(brute.algorithm == "brute");
      CHECK(tree.algorithm == "kd_tree");
      CHECK((brute.indices.array() == tree.indices.array()).all());
      CHECK((brute.distances.array() == tree.distances.array()).all());
    }
    CHECK(wrong_rows(find(Euclidean{}, X, Z, 9), euclidean, X, Z) == 0);
    CHECK(wrong_rows(find(Manhattan{}, X, Z, 9), manhattan, X, Z) == 0);
    // On a line all cosines are 1 or -1, and which of them rounding puts first is anybody's.
    if (d > 1) CHECK(wrong_rows(find(Cosine{}, X, Z, 9), one_minus_cosine, X, Z) == 0);
  }
}

TEST_CASE("all keys, one key, one query", "[neighbors]") {
  const Matrix<double> Z = grid_points(150, 2, 4, 9);
  for (const std::string algorithm : {"brute", "kd_tree"}) {
    CHECK(wrong_rows(find(Euclidean{}, Z, Z, 150, {algorithm}), euclidean, Z, Z) == 0);
    CHECK(wrong_rows(find(Euclidean{}, Z, Z, 149, {algorithm, true}), euclidean, Z, Z, true) == 0);
    const Matrix<double> one = Z.topRows(1);
    CHECK(wrong_rows(find(Euclidean{}, Z, one, 1, {algorithm}), euclidean, Z, one) == 0);
    CHECK(wrong_rows(find(Euclidean{}, one, Z, 3, {algorithm}), euclidean, one, Z) == 0);
    CHECK(find(Euclidean{}, one, one, 1, {algorithm}).distances(0, 0) == 0);
  }
}

TEST_CASE("exclude_self leaves out index i only: a duplicate still counts", "[neighbors]") {
  Matrix<double> Z(1200, 2);
  Z.topRows(600) = normal_points(600, 2, 10);
  Z.bottomRows(600) = Z.topRows(600);
  for (const std::string algorithm : {"brute", "kd_tree"}) {
    const auto table = find(Euclidean{}, Z, Z, 3, {algorithm, true});
    CHECK(wrong_rows(table, euclidean, Z, Z, true) == 0);
    for (Index i = 0; i < 1200; ++i) {
      CHECK(table.indices(i, 0) == (i + 600) % 1200);
      CHECK(table.distances(i, 0) == 0);
    }
  }
}

TEST_CASE("where all points are one point the lowest indices are its neighbors", "[neighbors]") {
  const Matrix<double> Z = Matrix<double>::Constant(3000, 3, 0.1);
  for (const std::string algorithm : {"brute", "kd_tree"}) {
    const auto table = find(Euclidean{}, Z, Z, 5, {algorithm, true});
    for (const Index i : {Index(0), Index(3), Index(2999)})
      for (Index m = 0; m < 5; ++m) CHECK(table.indices(i, m) == (m < i ? m : m + 1));
    CHECK(table.distances.isZero(0));
  }
}

TEST_CASE("Mahalanobis reports |Wx - Wz|, of factors of any rank", "[neighbors]") {
  const Matrix<double> Z = normal_points(700, 5, 11, 1e3), X = normal_points(60, 5, 12, 1e3);
  for (const Index rank : {1, 3, 5}) {
    const Matrix<double> W = normal_points(rank, 5, 13);
    const auto distance = [&](const double* x, const double* z, Index d) {
      double sum = 0;
      for (Index r = 0; r < rank; ++r) {
        double coordinate = 0;
        for (Index k = 0; k < d; ++k) coordinate += W(r, k) * (x[k] - z[k]);
        sum += coordinate * coordinate;
      }
      return std::sqrt(sum);
    };
    for (const std::string algorithm : {"brute", "kd_tree"})
      CHECK(wrong_rows(find(Mahalanobis{W}, X, Z, 8, {algorithm}), distance, X, Z) == 0);
  }
  const Matrix<double> grid = grid_points(800, 2, 6, 14);
  Matrix<double> stretch(2, 2);
  stretch << 2, 0, 0, 1;
  const auto stretched = [](const double* x, const double* z, Index) {
    return std::sqrt(4 * (x[0] - z[0]) * (x[0] - z[0]) + (x[1] - z[1]) * (x[1] - z[1]));
  };
  for (const std::string algorithm : {"brute", "kd_tree"})
    CHECK(wrong_rows(find(Mahalanobis{stretch}, grid, grid, 8, {algorithm}), stretched, grid, grid) == 0);
}

TEST_CASE("each metric reports its own unit", "[neighbors]") {
  Matrix<double> X(1, 2), Z(2, 2), W(1, 2);
  X << 0, 0;
  Z << 3, 4, 6, 8;
  W << 1, 1;
  const auto first = [&](const Metric& metric) { return find(metric, X, Z, 1).distances(0, 0); };
  CHECK(first(Euclidean{}) == 5);
  CHECK(first(SquaredEuclidean{}) == 25);
  CHECK(first(Manhattan{}) == 7);
  CHECK(first(Chebyshev{}) == 4);
  CHECK(first(Minkowski{3}) == Approx(std::cbrt(91.0)));
  CHECK(first(Mahalanobis{W}) == 7);
  X << 4, -3;
  CHECK(first(Cosine{}) == Approx(1));
  CHECK(first(DotProduct{}) == 0);
}

TEST_CASE("precomputed costs and a callable are searched as they are", "[neighbors]") {
  const Matrix<double> Z = grid_points(90, 2, 6, 15), X = grid_points(40, 2, 6, 16);
  Matrix<double> costs(40, 90);
  for (Index i = 0; i < 40; ++i)
    for (Index j = 0; j < 90; ++j) costs(i, j) = manhattan(X.row(i).data(), Z.row(j).data(), 2);
  const Matrix<double> keys = Matrix<double>::Zero(90, 90);
  CHECK(wrong_rows(find(Precomputed{}, costs, keys, 7), manhattan, X, Z) == 0);

  struct Blocks : TileFunction {
    void operator()(const Points<double>& x, const Points<double>& z, Tile<double> out) const override {
      for (Index i = 0; i < x.rows(); ++i)
        for (Index j = 0; j < z.rows(); ++j) out(i, j) = (x.row(i) - z.row(j)).cwiseAbs().sum();
      ++calls;
    }
    mutable std::atomic<int> calls = 0;
  };
  const auto blocks = std::make_shared<const Blocks>();
  const CustomMetric custom{blocks, {.symmetric = true, .distance_power = 1}};
  CHECK(wrong_rows(find(custom, X, Z, 7), manhattan, X, Z) == 0);
  CHECK(blocks->calls == 1);
}

TEST_CASE("radius_neighbors finds all keys within, boundary included", "[neighbors]") {
  const Matrix<double> Z = grid_points(800, 3, 6, 17), X = grid_points(300, 3, 6, 18);
  const auto check = [&](const Metric& metric, auto distance, double radius, const std::string& algorithm) {
    const auto table = radius_neighbors<double>(metric, X, Z, radius, NeighborOptions{algorithm});
    for (Index i = 0; i < X.rows(); ++i) {
      std::vector<Pair> want = sorted_keys(distance, X, Z, i);
      want.erase(std::find_if(want.begin(), want.end(), [&](const Pair& p) { return p.first > radius; }),
                 want.end());
      std::vector<Pair> got;
      for (auto m = table.offsets[static_cast<std::size_t>(i)];
           m < table.offsets[static_cast<std::size_t>(i) + 1]; ++m)
        got.emplace_back(table.distances[static_cast<std::size_t>(m)],
                         table.indices[static_cast<std::size_t>(m)]);
      CHECK(got == want);
    }
  };
  const auto squared = [](const double* x, const double* z, Index d) {
    double sum = 0;
    for (Index k = 0; k < d; ++k) sum += (x[k] - z[k]) * (x[k] - z[k]);
    return sum;
  };
  for (const std::string algorithm : {"brute", "kd_tree"}) {
    check(Euclidean{}, euclidean, 2, algorithm);
    check(Euclidean{}, euclidean, std::sqrt(3.0), algorithm);
    check(Euclidean{}, euclidean, 0, algorithm);
    check(SquaredEuclidean{}, squared, 5, algorithm);
    check(Manhattan{}, manhattan, 3, algorithm);
    check(Chebyshev{}, chebyshev, 1, algorithm);
  }
  check(DotProduct{}, minus_dot, -20, "auto");
}

TEST_CASE("a radius leaves self out on request, and may find nothing", "[neighbors]") {
  const Matrix<double> Z = normal_points(50, 2, 19);
  const auto table = radius_neighbors<double>(Euclidean{}, Z, Z, 1e-9, NeighborOptions{"auto", true});
  CHECK(table.indices.empty());
  CHECK(table.offsets == std::vector<Index>(51, 0));
}

TEST_CASE("a filter admits pairs before the nearest are taken", "[neighbors]") {
  const Matrix<double> Z = grid_points(200, 2, 5, 20);
  const auto earlier = [](Index i, Index j) { return j < i; };
  const auto lists = neighbors::nearest(Euclidean{}, Z, Z, 4, earlier, {}, {});
  CHECK(lists.algorithm == "brute");
  for (Index i = 0; i < 200; ++i) {
    std::vector<Pair> want = sorted_keys(euclidean, Z, Z.topRows(i), i);
    want.resize(static_cast<std::size_t>(std::min<Index>(i, 4)));
    const auto begin = static_cast<std::size_t>(lists.offsets[static_cast<std::size_t>(i)]);
    REQUIRE(lists.offsets[static_cast<std::size_t>(i) + 1] - static_cast<Index>(begin)
            == static_cast<Index>(want.size()));
    for (std::size_t m = 0; m < want.size(); ++m) {
      CHECK(lists.indices[begin + m] == want[m].second);
      CHECK(lists.distances[begin + m] == want[m].first);
    }
  }
}

TEST_CASE("the tree is chosen in few dimensions only, and not for a query alone", "[neighbors]") {
  const auto chosen = [](const Metric& metric, Index n, Index d, Index n_queries = 2000) {
    const Matrix<double> Z = normal_points(n, d, 21);
    return find(metric, Z.topRows(std::min(n, n_queries)), Z, 1).algorithm;
  };
  CHECK(chosen(Euclidean{}, 5000, 3, 1) == "brute");
  CHECK(chosen(Euclidean{}, 5000, 3) == "kd_tree");
  CHECK(chosen(Euclidean{}, 5000, 40) == "brute");
  CHECK(chosen(Euclidean{}, 20, 3) == "brute");
  const Matrix<double> plane = Matrix<double>::Ones(2, 40);
  CHECK(chosen(Mahalanobis{plane}, 5000, 40) == "kd_tree");
  CHECK(chosen(Cosine{}, 5000, 3) == "brute");
  CHECK(chosen(Minkowski{0.5}, 5000, 3) == "brute");
}

TEST_CASE("results do not depend on the number of threads", "[neighbors]") {
  const Matrix<double> Z = grid_points(1500, 5, 3, 22);
  for (const std::string algorithm : {"brute", "kd_tree"}) {
    const auto one = kneighbors<double>(Euclidean{}, Z, Z, 6, {algorithm}, Execution{.n_jobs = 1});
    const auto three = kneighbors<double>(Euclidean{}, Z, Z, 6, {algorithm}, Execution{.n_jobs = 3});
    CHECK((one.indices.array() == three.indices.array()).all());
    CHECK((one.distances.array() == three.distances.array()).all());
  }
}

TEST_CASE("a search stops on request", "[neighbors]") {
  const Matrix<double> Z = normal_points(20000, 20, 23);
  Execution run;
  run.n_jobs = 1;
  run.stop_requested = [] { return true; };
  CHECK_THROWS_AS(kneighbors<double>(Euclidean{}, Z, Z, 5, {"brute"}, run), Interrupted);
}

TEST_CASE("what a search cannot do is refused by name", "[neighbors]") {
  const Matrix<double> Z = normal_points(100, 3, 24), narrow = normal_points(4, 2, 25);
  const auto refused = [&](const Metric& metric, const Matrix<double>& X, Index k,
                           const NeighborOptions& options) {
    return message_of([&] { find(metric, X, Z, k, options); });
  };
  CHECK(refused(Euclidean{}, Z, 100, {"auto", true})
        == "n_neighbors must be an int in [1, 99] (100 samples, a point is not its own neighbor); got 100.");
  CHECK(contains(refused(Euclidean{}, Z, 101, {}), "n_neighbors must be an int in [1, 100]"));
  CHECK(contains(refused(Euclidean{}, Z, 0, {}), "n_neighbors"));
  CHECK(contains(refused(DotProduct{}, Z, 3, {"kd_tree"}), "triangle inequality"));
  CHECK(contains(refused(DotProduct{}, Z, 3, {"kd_tree"}), "DotProduct"));
  CHECK(contains(refused(Minkowski{0.5}, Z, 3, {"kd_tree"}), "triangle inequality"));
  const Metric own = CustomMetric::from([](const Points<double>& x, const Points<double>& z,
                                           Tile<double> out) { Chebyshev{}.fill<double>(x, z, out); },
                                        {.triangle_inequality = true, .distance_power = 1});
  CHECK(contains(refused(own, Z, 3, {"kd_tree"}), "sum over coordinates"));
  CHECK(contains(refused(Euclidean{}, Z, 3, {"ball"}), "algorithm"));
  CHECK(contains(refused(Euclidean{}, narrow, 3, {}), "X must be"));
  CHECK(contains(refused(Euclidean{}, Z.topRows(3), 3, {"auto", true}), "X must be"));
  Matrix<double> broken = Z;
  broken(4, 1) = std::nan("");
  CHECK(contains(refused(Euclidean{}, broken, 3, {}), "X must be finite"));
  CHECK(contains(refused(Euclidean{}, Matrix<double>(0, 3), 3, {}), "X must be"));
  CHECK(contains(message_of([&] { radius_neighbors<double>(Euclidean{}, Z, Z, -1.0); }), "radius"));
  CHECK(contains(message_of([&] { radius_neighbors<double>(Euclidean{}, Z, Z, std::nan("")); }), "radius"));
}

TEST_CASE("many points in few dimensions: the neighbors that nanoflann finds", "[neighbors]") {
  using Tree = nanoflann::KDTreeEigenMatrixAdaptor<Matrix<double>>;
  const Index n = 20000, k = 12;
  for (const Index d : {2, 5}) {
    const Matrix<double> Z = normal_points(n, d, 7), X = normal_points(300, d, 8);
    const auto ours = kneighbors<double>(Euclidean{}, X, Z, k, {.algorithm = "kd_tree"});
    const Tree tree(static_cast<int>(d), std::cref(Z));
    std::vector<Index> indices(k);
    std::vector<double> squares(k);
    for (Index i = 0; i < X.rows(); ++i) {
      tree.query(X.row(i).data(), k, indices.data(), squares.data());
      for (Index a = 0; a < k; ++a) {
        CHECK(ours.indices(i, a) == indices[static_cast<std::size_t>(a)]);
        CHECK(ours.distances(i, a) == Approx(std::sqrt(squares[static_cast<std::size_t>(a)])));
      }
    }
  }
}
