// Kernel density against direct sums, closed forms and integration on a grid.
#include <cmath>
#include <numbers>

#include <likewise/algorithms/kernel_density.hpp>

#include "catch.hpp"
#include "testing.hpp"

using namespace likewise;

namespace {

/// The integral of the density over [-side, side]^2 by the midpoint rule.
template <class Density> double integral(const Density& density, double side, Index steps) {
  Matrix<double> grid(steps * steps, 2);
  const double width = 2 * side / static_cast<double>(steps);
  for (Index i = 0; i < steps; ++i)
    for (Index j = 0; j < steps; ++j)
      grid.row(i * steps + j) << (static_cast<double>(i) + 0.5) * width - side,
          (static_cast<double>(j) + 0.5) * width - side;
  return density.score_samples(grid).array().exp().sum() * width * width;
}

}  // namespace

TEST_CASE("a Gaussian density is the mean of normal densities, weights included") {
  const Matrix<double> Z = normal_matrix(30, 3, 1), X = normal_matrix(10, 3, 2);
  const Vector<double> w = normal_matrix(30, 1, 3).cwiseAbs().col(0);
  const Vector<double> got = kernel_density(Z, {.bandwidth = 0.6, .sample_weight = w}).score_samples(X);
  const double constant = std::pow(2 * std::numbers::pi * 0.36, -1.5);
  for (Index i = 0; i < X.rows(); ++i) {
    const Vector<double> d2 = (Z.rowwise() - X.row(i)).rowwise().squaredNorm();
    const double p = constant * w.dot(Vector<double>((-d2.array() / 0.72).exp())) / w.sum();
    CHECK(got(i) == Approx(std::log(p)).epsilon(1e-12));
  }
}

TEST_CASE("every kernel with every norm integrates to one") {
  Matrix<double> factor(2, 2);
  factor << 1.5, 0.4, -0.2, 0.8;
  const Matrix<double> Z = 0.3 * normal_matrix(5, 2, 4);
  for (const Metric& metric : {Metric(Euclidean{}), Metric(SquaredEuclidean{}), Metric(Mahalanobis{factor}),
                               Metric(Manhattan{}), Metric(Chebyshev{}), Metric(Minkowski{3})})
    for (const Kernel& kernel :
         {Kernel(Gaussian{0.5}), Kernel(Laplacian{0.3}), Kernel(Exponential{0.3}), Kernel(Indicator{0.9}),
          Kernel(Epanechnikov{0.9}), Kernel(Tricube{0.9}), Kernel(StudentT{0.1, 7}),
          Kernel(AlphaDecay{0.5, 3}), Kernel(Matern32{0.3}), Kernel(Matern52{0.3})}) {
      INFO(repr(metric) << " " << repr(kernel));
      CHECK(integral(kernel_density(Z, {.metric = metric, .kernel = kernel, .bandwidth = {}}), 8, 400)
            == Approx(1).epsilon(5e-3));
    }
}

TEST_CASE(
    "far from all points the log density of a Gaussian stays finite, that of a compact kernel is -inf") {
  const Matrix<double> Z = Matrix<double>::Zero(3, 1), far = Matrix<double>::Constant(1, 1, 1e6);
  const double want = -0.5e12 - 0.5 * std::log(2 * std::numbers::pi);
  CHECK(kernel_density(Z).score_samples(far)(0) == Approx(want).epsilon(1e-14));
  CHECK(kernel_density(Z, {.kernel = Epanechnikov{}}).score_samples(far)(0)
        == -std::numeric_limits<double>::infinity());
}

TEST_CASE("rules find the bandwidth, and what has no constant is refused by name") {
  const Matrix<double> Z = normal_matrix(200, 2, 5);
  const auto fitted = kernel_density(Z, {.bandwidth = "silverman"});
  CHECK(std::get<Gaussian>(fitted.keyed.mechanism().kernel).bandwidth == Bandwidth(fitted.bandwidth.length));
  CHECK(fitted.bandwidth.length
        == Approx(std::pow(200.0, -1.0 / 6)).epsilon(0.2));  // Silverman: sigma n^(-1/6) at d = 2
  const auto refused = [&](const KernelDensityOptions& o) { return refusal([&] { kernel_density(Z, o); }); };
  CHECK(contains(refused({.metric = Cosine{}}), "metric must be one that comes from a norm"));
  CHECK(contains(refused({.kernel = StudentT{0.5, 1}, .bandwidth = {}}), "finite integral"));
  CHECK(contains(refused({.kernel = Indicator{}, .bandwidth = {}}), "kernel must be"));
  CHECK(contains(refused({.bandwidth = "self_tuning"}), "bandwidth must be a number"));
}
