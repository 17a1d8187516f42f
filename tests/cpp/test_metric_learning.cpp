// metric_loss: value against plain loops, derivatives against central differences, mini-batches against their sum.
#include <cmath>

#include <likewise/algorithms/metric_learning.hpp>

#include "catch.hpp"
#include "slopes.hpp"
#include "testing.hpp"

using namespace likewise;

namespace {

Matrix<double> one_hot(Index n, Index n_classes) {
  Matrix<double> Y = Matrix<double>::Zero(n, n_classes);
  for (Index i = 0; i < n; ++i) Y(i, (i * i) % n_classes) = 1;
  return Y;
}

/// The loss written out.
double plain(const Matrix<double>& X, const Matrix<double>& Y, const Matrix<double>& W,
             const std::string& loss, double t) {
  double total = 0;
  for (Index i = 0; i < X.rows(); ++i) {
    Vector<double> sum = Vector<double>::Zero(Y.cols());
    double mass = 0;
    for (Index j = 0; j < X.rows(); ++j) {
      if (j == i) continue;
      const double w = std::exp(-(W * (X.row(i) - X.row(j)).transpose()).squaredNorm() / t);
      sum += w * Y.row(j).transpose();
      mass += w;
    }
    const Vector<double> F = sum / mass, y = Y.row(i).transpose();
    total += loss == "nca" ? -F.dot(y) : (F - y).squaredNorm();
  }
  return total;
}

}  // namespace

TEST_CASE("the metric's loss is that of plain loops, and its derivatives are its slopes",
          "[metric_learning]") {
  const Index n = GENERATE(3, 40);
  const std::string loss = GENERATE("nca", "mlkr");
  const double t = 1.7;
  const Matrix<double> X = normal_matrix(n, 4, 1).array() + 3, W = 0.7 * normal_matrix(2, 4, 2),
                       Y = loss == "nca" ? one_hot(n, 3)
                                         : Matrix<double>(normal_matrix(n, 2, 3).array() + 50);
  const MetricLoss found = metric_loss<double>(X, Y, W, {loss, t});
  CHECK(found.value == Approx(plain(X, Y, W, loss, t)).epsilon(1e-10));
  const Matrix<double> by_factor =
      slopes<Matrix<double>>([&](const Matrix<double>& A) { return plain(X, Y, A, loss, t); }, W);
  CHECK(relative_error(found.factor, by_factor) < 1e-5);  // differences of targets around 50 round
  Vector<double> at(1);
  at << t;
  const Vector<double> by_temperature =
      slopes<Vector<double>>([&](const Vector<double>& s) { return plain(X, Y, W, loss, s(0)); }, at);
  CHECK(found.temperature == Approx(by_temperature(0)).epsilon(1e-6).margin(1e-8));
  // The same rows in float32.
  const MetricLoss single = metric_loss<float>(X.cast<float>(), Y.cast<float>(), W, {loss, t});
  CHECK(single.value == Approx(found.value).epsilon(1e-4));
  CHECK(relative_error(single.factor, found.factor) < 1e-3);
}

TEST_CASE("a metric's loss through a map is that of the mapped points, and its derivatives are its slopes",
          "[metric_learning]") {
  const std::string loss = GENERATE("nca", "mlkr");
  const Index n_queries = GENERATE(0, 7);
  const double t = 1.3;
  const Matrix<double> X = normal_matrix(30, 4, 1).array() + 1,
                       Y = loss == "nca" ? one_hot(30, 3) : normal_matrix(30, 2, 3);
  const MetricLossOptions o{loss, t, n_queries};
  const Matrix<double> W = 0.7 * normal_matrix(2, 4, 2);
  const MetricLoss linear = metric_loss<double>(X, Y, W, o);
  const MapLoss same = metric_loss<double>(X, Y, PointMap(maps::Linear{W}), o);
  CHECK(same.value == Approx(linear.value).epsilon(1e-12));
  CHECK(relative_error(same.parameters.at("W"), linear.factor) < 1e-10);
  CHECK(same.temperature == Approx(linear.temperature).epsilon(1e-10));

  const maps::ResidualMLP map{.W1 = 0.5 * normal_matrix(3, 4, 4),
                              .b1 = Vector<double>(normal_matrix(3, 1, 5)),
                              .W2 = 0.5 * normal_matrix(2, 3, 6),
                              .b2 = Vector<double>(normal_matrix(2, 1, 7)),
                              .skip = W};
  const MapLoss found = metric_loss<double>(X, Y, PointMap(map), o);
  const Matrix<double> U = apply<double>(PointMap(map), X), I = Matrix<double>::Identity(2, 2);
  CHECK(found.value == Approx(metric_loss<double>(U, Y, I, o).value).epsilon(1e-12));
  const auto by = [&](auto change) {
    return [&, change](const Matrix<double>& A) {
      maps::ResidualMLP other = map;
      change(other, A);
      return metric_loss<double>(X, Y, PointMap(other), o).value;
    };
  };
  CHECK(relative_error(found.parameters.at("W1"),
                       slopes<Matrix<double>>(by([](auto& m, const auto& A) { m.W1 = A; }), *map.W1))
        < 1e-6);
  CHECK(relative_error(found.parameters.at("W2"),
                       slopes<Matrix<double>>(by([](auto& m, const auto& A) { m.W2 = A; }), *map.W2))
        < 1e-6);
  CHECK(relative_error(found.parameters.at("skip"),
                       slopes<Matrix<double>>(by([](auto& m, const auto& A) { m.skip = A; }), *map.skip))
        < 1e-6);
  const MapLoss single = metric_loss<float>(X.cast<float>(), Y.cast<float>(), PointMap(map), o);
  CHECK(single.value == Approx(found.value).epsilon(1e-4));
  CHECK(relative_error(single.parameters.at("W1"), found.parameters.at("W1")) < 1e-3);
  CHECK(contains(refusal([&] { metric_loss<double>(X.leftCols(3), Y, PointMap(map), o); }), "4"));
}

TEST_CASE("mini-batches add up to the whole loss, on any number of threads", "[metric_learning]") {
  const Index n = 1100, b = 300;
  const Matrix<double> X = normal_matrix(n, 5, 4), W = normal_matrix(3, 5, 5), Y = one_hot(n, 4);
  const MetricLoss whole = metric_loss<double>(X, Y, W),
                   threads = metric_loss<double>(X, Y, W, {}, {.n_jobs = 3});
  CHECK(whole.value == threads.value);
  CHECK(whole.factor == threads.factor);
  double value = 0;
  Matrix<double> factor = Matrix<double>::Zero(3, 5);
  for (Index first = 0; first < n; first += b) {
    const Index size = std::min(b, n - first);
    Matrix<double> x(n, 5), y(n, 4);
    x << X.middleRows(first, size), X.topRows(first), X.bottomRows(n - first - size);
    y << Y.middleRows(first, size), Y.topRows(first), Y.bottomRows(n - first - size);
    const MetricLoss part = metric_loss<double>(x, y, W, {.n_queries = size});
    value += part.value;
    factor += part.factor;
  }
  CHECK(value == Approx(whole.value).epsilon(1e-10));
  CHECK(relative_error(factor, whole.factor) < 1e-9);
  const MetricLoss single = metric_loss<float>(X.cast<float>(), Y.cast<float>(), W);
  CHECK(single.value == Approx(whole.value).epsilon(1e-5));
  CHECK(relative_error(single.factor, whole.factor) < 1e-4);
}

TEST_CASE("far points leave no row without others", "[metric_learning]") {
  Matrix<double> X(4, 1), W(1, 1);
  X << 0, 1, 1e4, 1e4 + 100;
  W << 1;
  const MetricLoss found = metric_loss<double>(X, one_hot(4, 2), W);
  CHECK(std::isfinite(found.value));
  CHECK(found.factor.allFinite());
}

TEST_CASE("the metric's loss refuses what does not fit", "[metric_learning]") {
  const Matrix<double> X = normal_matrix(5, 2, 1), Y = one_hot(5, 2), W = normal_matrix(1, 2, 2);
  const auto says = [](const std::function<void()>& call, const char* name) {
    return contains(refusal(call), name);
  };
  CHECK(says([&] { metric_loss<double>(X, Y.topRows(4), W); }, "Y must be"));
  CHECK(says([&] { metric_loss<double>(X, Y, normal_matrix(1, 3, 2)); }, "factor must be"));
  CHECK(says([&] { metric_loss<double>(X, Y, W, {.loss = "l2"}); }, "loss must be"));
  CHECK(says([&] { metric_loss<double>(X, Y, W, {.temperature = 0}); }, "temperature must be"));
  CHECK(says([&] { metric_loss<double>(X, Y, W, {.n_queries = 6}); }, "n_queries must be"));
  CHECK(says([&] { metric_loss<double>(X.topRows(1), Y.topRows(1), W); }, "X must be"));
}
