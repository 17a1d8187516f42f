// Many small heads at once: tiles give what an operator a head gives, at the sizes where the way changes.
#include <limits>
#include <random>

#include <likewise/error.hpp>
#include <likewise/many_operators.hpp>

#include "catch.hpp"

using namespace likewise;

namespace {

template <class T> std::vector<Matrix<T>> heads(std::size_t count, Index rows, Index cols, unsigned seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal;
  std::vector<Matrix<T>> all(count, Matrix<T>(rows, cols));
  for (Matrix<T>& head : all)
    for (T& x : head.reshaped()) x = static_cast<T>(normal(random));
  return all;
}

template <class T> EachMatrix<T> seen(const std::vector<Matrix<T>>& all) {
  EachMatrix<T> maps;
  for (const Matrix<T>& head : all) maps.emplace_back(head.data(), head.rows(), head.cols());
  return maps;
}

template <class T> double apart(const Matrix<T>& a, const Matrix<T>& b) {
  REQUIRE(a.rows() == b.rows());
  REQUIRE(a.cols() == b.cols());
  return a.size() ? static_cast<double>((a - b).cwiseAbs().maxCoeff()) : 0;
}

}  // namespace

TEMPLATE_TEST_CASE("many steps are those of an operator each", "[operator]", float, double) {
  using T = TestType;
  const double tolerance = std::is_same_v<T, float> ? 2e-5 : 1e-12;
  for (const Support& support : {Support(AllPairs{}), Support(Causal{}), Support(Window{2, 0})})
    for (const Metric& metric : {Metric(DotProduct{}), Metric(SquaredEuclidean{})})
      for (const auto& [n, m] : {std::pair<Index, Index>{1, 1}, {5, 5}, {64, 64}, {65, 64}, {3, 40}}) {
        const Mechanism mechanism{metric, Exponential{2.5}, support, RowStochastic{}};
        const auto q = heads<T>(3, n, 6, 1), k = heads<T>(3, m, 6, 2), v = heads<T>(3, m, 4, 3),
                   g = heads<T>(3, n, 4, 4);
        const ManySteps<T> steps(mechanism, seen<T>(q), seen<T>(k));
        CHECK(steps.tiles() == (n * m <= 64 * 64));
        const auto operators = cross_operators<T>(mechanism, seen<T>(q), seen<T>(k));
        const auto y = apply_each<T>(operators, seen<T>(v));
        const auto by_operator = vjp_each<T>(operators, seen<T>(g), seen<T>(v), seen<T>(y));
        // Derivatives before a product, and after one.
        for (int round = 0; round < 2; ++round) {
          const auto found = steps.vjp(seen<T>(g), seen<T>(v), seen<T>(y));
          const auto ours = steps.apply(seen<T>(v));
          for (std::size_t i = 0; i < 3; ++i) {
            CHECK(apart(ours[i], y[i]) < tolerance);
            CHECK(apart(found[i].queries, by_operator[i].queries) < tolerance);
            CHECK(apart(found[i].keys, by_operator[i].keys) < tolerance);
            CHECK(apart(found[i].values, by_operator[i].values) < tolerance);
            CHECK(*found[i].temperature == Approx(*by_operator[i].temperature).margin(20 * tolerance));
          }
        }
      }
}

TEST_CASE("many steps refuse what operators refuse", "[operator]") {
  const Mechanism mechanism{DotProduct{}, Exponential{1.0}, AllPairs{}, RowStochastic{}};
  auto q = heads<double>(2, 3, 2, 1), k = heads<double>(2, 4, 2, 2), v = heads<double>(2, 4, 2, 3);
  const ManySteps<double> steps(mechanism, seen<double>(q), seen<double>(k));
  CHECK_THROWS_AS(steps.apply(seen<double>(q)), InvalidArgument);
  const auto one = heads<double>(1, 4, 2, 3);
  CHECK_THROWS_AS(steps.apply(seen<double>(one)), InvalidArgument);
  const auto wide = heads<double>(2, 4, 3, 2);
  CHECK_THROWS_AS(ManySteps<double>(mechanism, seen<double>(q), seen<double>(wide)), InvalidArgument);
  k[1](0, 0) = std::numeric_limits<double>::quiet_NaN();
  CHECK_THROWS_AS(ManySteps<double>(mechanism, seen<double>(q), seen<double>(k)), InvalidArgument);
  v[0](0, 0) = std::numeric_limits<double>::infinity();
  CHECK_THROWS_AS(steps.apply(seen<double>(v)), InvalidArgument);
  const EachMatrix<double> none;
  CHECK(ManySteps<double>(mechanism, none, none).apply(none).empty());
}

TEMPLATE_TEST_CASE("a key that nobody hears may be as far as numbers go", "[operator]", float, double) {
  using T = TestType;
  const auto q = heads<T>(1, 5, 3, 1), v = heads<T>(1, 6, 2, 3), g = heads<T>(1, 5, 2, 4);
  auto k = heads<T>(1, 6, 3, 2);
  k[0].row(5).setConstant(std::numeric_limits<T>::max());
  const Vector<double> weights{{0, 0.5, 0, -1, 0, -std::numeric_limits<double>::infinity()}};
  const Vector<double> heard = weights.head(5);
  const auto rows = [](const Matrix<T>& m, Index n) {
    return StridedRows<T>(m.data(), n, m.cols(), Eigen::OuterStride<>(m.cols()));
  };
  for (const Metric& metric : {Metric(DotProduct{}), Metric(SquaredEuclidean{})}) {
    const Mechanism mechanism{metric, Exponential{1.5}, AllPairs{}, RowStochastic{}};
    const StepInputs<T> with{rows(q[0], 5), rows(k[0], 6), rows(v[0], 6), &weights},
        without{rows(q[0], 5), rows(k[0], 5), rows(v[0], 5), &heard};
    Matrix<T> y(5, 2), z(5, 2), by_q(5, 3), by_k(6, 3), by_v(6, 2), q_alone(5, 3), k_alone(5, 3),
        v_alone(5, 2);
    const auto part = [](Matrix<T>& m) { return Part<T>{m, 0, m.rows(), 0, m.cols()}; };
    StepTrace<T> trace, alone;
    step<T>(mechanism, with, part(y), trace, {});
    step<T>(mechanism, without, part(z), alone, {});
    StepGradient<T> gradient{part(by_q), part(by_k), part(by_v)},
        gradient_alone{part(q_alone), part(k_alone), part(v_alone)};
    step_vjp<T>(mechanism, with, trace, rows(y, 5), rows(g[0], 5), gradient, {});
    step_vjp<T>(mechanism, without, alone, rows(z, 5), rows(g[0], 5), gradient_alone, {});
    const double tolerance = std::is_same_v<T, float> ? 1e-5 : 1e-13;
    CHECK(apart(y, z) < tolerance);
    CHECK(apart(by_q, q_alone) < 10 * tolerance);
    CHECK(apart(Matrix<T>(by_k.topRows(5)), k_alone) < 10 * tolerance);
    CHECK(by_k.row(5).isZero(0));
  }
}
