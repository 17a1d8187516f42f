// Keys that were prepared answer as the points themselves do, to the last bit, in any order and from several threads.
#include <algorithm>
#include <thread>
#include <utility>
#include <vector>

#include <likewise/likewise.hpp>

#include "catch.hpp"
#include "refusal.hpp"
#include "samples.hpp"
#include "testing.hpp"

using namespace likewise;

namespace {

template <class T> Matrix<T> points(Index n, Index d, unsigned seed) {
  return samples::normal(n, d, seed).template cast<T>();
}

template <class T> void check_searches(const Metric& metric, Index n, Index d) {
  const Matrix<T> Z = points<T>(n, d, 1);
  const PreparedKeys<T> keys(metric, Z);
  const double radius = traits(metric).zero_on_self ? 1.5 : -0.5;
  for (const Index n_queries : {1, 2, 3, 70, 1}) {
    const Matrix<T> X = points<T>(n_queries, d, 2 + static_cast<unsigned>(n_queries));
    for (const Index k : {1, 7, 30}) {
      const auto once = kneighbors<T>(metric, X, Z, k), again = kneighbors<T>(keys, X, k);
      CHECK(again.indices == once.indices);
      CHECK(again.distances == once.distances);
    }
    const auto once = radius_neighbors<T>(metric, X, Z, radius), again = radius_neighbors<T>(keys, X, radius);
    CHECK(again.offsets == once.offsets);
    CHECK(again.indices == once.indices);
    CHECK(again.distances == once.distances);
  }
  const auto once = kneighbors<T>(metric, Z, Z, 4, {.exclude_self = true}),
             again = kneighbors<T>(keys, keys.points(), 4, {.exclude_self = true});
  CHECK(again.indices == once.indices);
}

/// One or two rows at a time against all distances, sorted.
template <class T> void check_rows(Index n, Index d) {
  const Matrix<T> Z = points<T>(n, d, 1), X = points<T>(6, d, 2);
  const PreparedKeys<T> keys(Euclidean{}, Z);
  std::vector<std::pair<double, Index>> all(static_cast<std::size_t>(n));
  for (const Index n_rows : {1, 2})
    for (Index i = 0; i + n_rows <= X.rows(); i += n_rows) {
      const auto found = kneighbors<T>(keys, X.middleRows(i, n_rows), 9, {.algorithm = "brute"});
      for (Index a = 0; a < n_rows; ++a) {
        for (Index j = 0; j < n; ++j)
          all[static_cast<std::size_t>(j)] = {
              (X.row(i + a).template cast<double>() - Z.row(j).template cast<double>()).norm(), j};
        std::sort(all.begin(), all.end());
        for (Index m = 0; m < 9; ++m) CHECK(found.indices(a, m) == all[static_cast<std::size_t>(m)].second);
      }
    }
}

template <class T> void check_operators(const Mechanism& m, const Vector<double>& log_w) {
  const Matrix<T> Z = points<T>(200, 3, 5), V = points<T>(200, 2, 6);
  const KeyedMechanism<T> keyed(m, PreparedKeys<T>(m.metric, Z, log_w));
  for (const Index n_queries : {1, 100, 1, 3}) {
    const Matrix<T> X = points<T>(n_queries, 3, 7 + static_cast<unsigned>(n_queries));
    const auto once = m.cross_operator(X, Z, {.log_key_weights = log_w});
    const auto again = keyed.at(X);
    INFO(repr(m));
    CHECK(again.apply(V) == once.apply(V));
    CHECK(again.log_row_sums() == once.log_row_sums());
    CHECK(again.mechanism() == once.mechanism());
  }
}

}  // namespace

TEST_CASE("searches among prepared keys find what searches among points find", "[prepared_keys]") {
  for (const Metric& metric : samples::metrics(3)) {
    INFO(repr(metric));
    check_searches<float>(metric, 600, 3);
    check_searches<double>(metric, 600, 3);
  }
  check_searches<double>(Euclidean{}, 2000, 25);
  check_searches<float>(Euclidean{}, 2000, 25);
}

TEST_CASE("a row or two are near whom all distances say", "[prepared_keys]") {
  for (const Index d : {1, 3, 4, 7, 16, 25, 70}) {
    check_rows<float>(700, d);
    check_rows<double>(700, d);
  }
  check_rows<float>(40000, 5);
}

TEST_CASE("a mechanism that has met keys gives the cross-operators of these points", "[prepared_keys]") {
  const Vector<double> none;
  Vector<double> weights = samples::normal(200, 1, 9).col(0);
  weights(3) = -std::numeric_limits<double>::infinity();
  const std::vector<Normalization> rules{RowStochastic{}, Unnormalized{}, Symmetric{}, Density{0.5}};
  for (const Normalization& rule : rules)
    for (const Support& support : {Support(AllPairs{}), Support(Neighbors{5}), Support(Radius{0.8})})
      for (const Kernel& kernel :
           {Kernel(Gaussian{0.7}), Kernel(Laplacian{"median"}), Kernel(Tricube{2.0})}) {
        const Mechanism m{Euclidean{}, kernel, support, rule, OneStep{}, EmptyRow::nearest};
        check_operators<float>(m, none);
        check_operators<double>(m, none);
        check_operators<double>(m, weights);
      }
  check_operators<float>({SquaredEuclidean{}, Gaussian{"self_tuning"}}, none);
  check_operators<float>({SquaredEuclidean{}, Gaussian{1e-18}}, none);
  check_operators<float>({Manhattan{}, Laplacian{0.5}}, none);
}

TEST_CASE("threads that ask fresh keys at once get one answer", "[prepared_keys]") {
  const Matrix<double> Z = points<double>(3000, 3, 1), X = points<double>(8, 3, 2);
  const auto expected = kneighbors<double>(Euclidean{}, X, Z, 5);
  const PreparedKeys<double> keys(Euclidean{}, Z);
  std::vector<NeighborTable<double>> found(8);
  std::vector<std::thread> threads;
  for (Index i = 0; i < 8; ++i)
    threads.emplace_back([&, i] {
      found[static_cast<std::size_t>(i)] = kneighbors<double>(keys, X.row(i), 5, {}, {.n_jobs = 1});
    });
  for (std::thread& thread : threads) thread.join();
  for (Index i = 0; i < 8; ++i)
    CHECK(found[static_cast<std::size_t>(i)].indices.row(0) == expected.indices.row(i));
}

TEST_CASE("keys are refused where they were prepared for another metric or not at all", "[prepared_keys]") {
  const PreparedKeys<double> keys(Euclidean{}, points<double>(10, 2, 1));
  CHECK(contains(refusal([&] {
                   KeyedMechanism<double>({Manhattan{}, Laplacian{1.0}}, keys);
                 }),
                 "Euclidean()"));
  CHECK(contains(refusal([&] { KeyedMechanism<double>().at(points<double>(1, 2, 1)); }), "met keys"));
  CHECK(contains(refusal([&] { PreparedKeys<double>().points(); }), "prepared"));
  CHECK(contains(refusal([&] { kneighbors<double>(keys, points<double>(1, 3, 1), 2); }), "X must"));
  Matrix<double> holed = points<double>(4, 2, 1);
  holed(2, 1) = std::numeric_limits<double>::quiet_NaN();
  CHECK(contains(refusal([&] { PreparedKeys<double>(Euclidean{}, holed); }), "row 2"));
  CHECK(keys.bytes() == 10 * 2 * sizeof(double) + 10 * sizeof(double));
}
