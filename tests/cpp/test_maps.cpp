// Maps of points, and operators and searches of metrics that look through them.
#include <cmath>

#include <likewise/gradient.hpp>
#include <likewise/likewise.hpp>

#include "catch.hpp"
#include "refusal.hpp"
#include "samples.hpp"

namespace likewise {
namespace {

/// phi(x) = (x, x^2).
maps::Custom squares() {
  return maps::Custom::from(
      [](const Points<double>& x) {
        Matrix<double> y(x.rows(), 2 * x.cols());
        y << x, x.cwiseAbs2();
        return y;
      },
      [](const Points<double>& x, const Points<double>& g) {
        return Matrix<double>(g.leftCols(x.cols()) + 2 * x.cwiseProduct(g.rightCols(x.cols())));
      },
      "squares");
}

std::vector<PointMap> sample_maps(Index d) {
  std::vector<PointMap> maps = {
      maps::Linear{samples::normal(3, d, 1)},
      maps::Linear{samples::normal(3, d, 1), Vector<double>(samples::normal(3, 1, 2))}, squares()};
  for (const char* activation : {"tanh", "relu", "gelu"}) {
    maps::ResidualMLP map = samples::residual(d, 6, 3);
    map.activation = activation;
    maps.emplace_back(map);
  }
  return maps;
}

Mechanism mechanism_of(const Metric& metric) { return {.metric = metric, .kernel = Exponential{2.0}}; }

}  // namespace

TEST_CASE("the derivative of a map is its finite difference", "[map]") {
  const Matrix<double> X = samples::normal(4, 3, 5);
  for (const PointMap& map : sample_maps(3)) {
    INFO(repr(map));
    const Matrix<double> g = samples::normal(4, apply<double>(map, X).cols(), 6);
    const MapGradient<double> found = vjp<double>(map, X, g);
    constexpr double h = 1e-6;
    for (Index i = 0; i < X.rows(); ++i)
      for (Index k = 0; k < X.cols(); ++k) {
        Matrix<double> up = X, down = X;
        up(i, k) += h;
        down(i, k) -= h;
        const double slope =
            g.cwiseProduct(apply<double>(map, up) - apply<double>(map, down)).sum() / (2 * h);
        CHECK(found.points(i, k) == Approx(slope).epsilon(1e-6).margin(1e-7));
      }
  }
}

TEMPLATE_TEST_CASE("what looks through a map is what looks at mapped points", "[map]", float, double) {
  using T = TestType;
  const Matrix<T> X = samples::normal(40, 3, 5).cast<T>(), Z = samples::normal(30, 3, 6).cast<T>();
  const double tolerance = sizeof(T) == 4 ? 1e-5 : 1e-12;
  for (const PointMap& map : sample_maps(3))
    for (const MetricOfMapped& base : {MetricOfMapped(SquaredEuclidean{}), MetricOfMapped(Euclidean{}),
                                       MetricOfMapped(Manhattan{}), MetricOfMapped(DotProduct{})}) {
      const Metric metric = Mapped{map, std::nullopt, base};
      INFO(repr(metric));
      const Metric plain = std::visit([](const auto& m) { return Metric(m); }, base);
      const Matrix<T> U = apply<T>(map, X), V = apply<T>(map, Z);
      const auto close = [&](const Matrix<T>& a, const Matrix<T>& b) {
        return (a - b).cwiseAbs().maxCoeff() <= tolerance;
      };
      const auto P = mechanism_of(metric).self_operator(Z), Q = mechanism_of(plain).self_operator(V);
      CHECK(close(P.dense(), Q.dense()));
      CHECK(close(P.at(X).dense(), Q.at(U).dense()));
      CHECK(P.keys() == Z);
      CHECK(P.mechanism().metric == metric);
      if (traits(plain).distance_power > 0)
        CHECK(kneighbors<T>(metric, X, Z, 4).indices == kneighbors<T>(plain, U, V, 4).indices);
    }
}

TEST_CASE("linear maps are Mahalanobis and Bilinear to the last bit", "[map]") {
  const Matrix<float> X = samples::normal(40, 3, 5).cast<float>();
  const Matrix<double> W = samples::normal(2, 3, 1), V = samples::normal(2, 3, 2);
  const auto dense = [&](const Metric& metric) { return mechanism_of(metric).self_operator(X).dense(); };
  CHECK(dense(Mapped{maps::Linear{W, Vector<double>(Vector<double>::Ones(2))}}) == dense(Mahalanobis{W}));
  CHECK(dense(Mapped{maps::Linear{W}, maps::Linear{V}, DotProduct{}}) == dense(Bilinear{W, V}));
}

TEST_CASE("what is no map is refused, naming the argument", "[map]") {
  const Matrix<double> X = samples::normal(4, 3, 5);
  maps::ResidualMLP map = samples::residual(3, 4, 1);
  CHECK_THROWS_AS(apply<double>(map, X.leftCols(2)), InvalidArgument);
  map.activation = "softplus";
  CHECK_THROWS_AS(validate(PointMap(map)), InvalidArgument);
  CHECK_THROWS_AS(validate(Metric(Mapped{
                      maps::Linear{samples::normal(2, 3, 1), Vector<double>(samples::normal(3, 1, 2))}})),
                  InvalidArgument);
  validate(Metric(Mapped{maps::Linear{}}));  // open: a value, of which no operator can be made
  CHECK_THROWS_AS(mechanism_of(Mapped{maps::Linear{}}).self_operator(X), InvalidArgument);
  CHECK_THROWS_AS(mechanism_of(Mapped{maps::ResidualMLP{}}).self_operator(X), InvalidArgument);
  CHECK_THROWS_AS(maps::Custom::from({}), InvalidArgument);
  const auto lost = maps::Custom::from([](const Points<double>& x) { return Matrix<double>(x.topRows(1)); });
  CHECK_THROWS_AS(apply<double>(lost, X), InvalidArgument);
  const auto nowhere = maps::Custom::from([](const Points<double>& x) { return Matrix<double>(x / 0.0); });
  CHECK_THROWS_AS(mechanism_of(Mapped{nowhere}).self_operator(X), InvalidArgument);
  const auto P = mechanism_of(Mapped{nowhere.from([](const Points<double>& x) {
                   return Matrix<double>(x);
                 })}).self_operator(X);
  // No derivative was given: of the points there is none, of values and the temperature there is.
  const OperatorGradient<double> found = vjp<double>(P, X, X);
  CHECK(found.points.size() == 0);
  const auto plain = Mechanism{.metric = SquaredEuclidean{}, .kernel = P.mechanism().kernel}.self_operator(X);
  CHECK((found.values - vjp<double>(plain, X, X).values).cwiseAbs().maxCoeff() < 1e-12);
}

}  // namespace likewise
