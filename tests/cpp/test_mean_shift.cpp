// Mean shift: its step is the gradient of a density, its ends are modes.
#include <likewise/algorithms/mean_shift.hpp>

#include <likewise/operator.hpp>

#include "catch.hpp"
#include "refusal.hpp"
#include "samples.hpp"

using namespace likewise;

namespace {

/// Three groups of 20 points around (0, 0), (6, 0), (0, 6).
Matrix<double> groups() {
  Matrix<double> X = 0.5 * samples::normal(60, 2, 21);
  X.middleRows(20, 20).col(0).array() += 6;
  X.bottomRows(20).col(1).array() += 6;
  return X;
}

double log_density(const Matrix<double>& X, const Eigen::RowVectorXd& x, double h) {
  return std::log((-(X.rowwise() - x).rowwise().squaredNorm() / (2 * h * h)).array().exp().sum());
}

}  // namespace

TEST_CASE("m(x) - x = h^2 grad log p_h(x)", "[mean_shift]") {
  const Matrix<double> X = samples::normal(50, 3, 22), Q = samples::normal(8, 3, 23);
  const double h = 0.7, step = 1e-5;
  const Mechanism m{Euclidean{}, Gaussian{h}, AllPairs{}, RowStochastic{}};
  const Matrix<double> shift = m.cross_operator(Q, X).apply(X) - Q;
  for (Index i = 0; i < Q.rows(); ++i)
    for (Index k = 0; k < 3; ++k) {
      Eigen::RowVectorXd up = Q.row(i), down = Q.row(i);
      up(k) += step;
      down(k) -= step;
      const double slope = (log_density(X, up, h) - log_density(X, down, h)) / (2 * step);
      CHECK(shift(i, k) == Approx(h * h * slope).margin(1e-8));
    }
}

TEST_CASE("mean shift finds the groups, with any kernel and metric", "[mean_shift]") {
  const Matrix<double> X = groups();
  for (const Kernel& kernel :
       {Kernel(Indicator{}), Kernel(Gaussian{}), Kernel(Epanechnikov{}), Kernel(Tricube{})})
    for (const Metric& metric : {Metric(Euclidean{}), Metric(SquaredEuclidean{}), Metric(Manhattan{})}) {
      CAPTURE(repr(kernel), repr(metric));
      const double h = std::holds_alternative<Gaussian>(kernel) ? 1 : 2.5;
      const auto found = mean_shift(X, {.metric = metric, .kernel = kernel, .bandwidth = h});
      REQUIRE(found.cluster_centers.rows() == 3);
      CHECK(found.report.converged);
      CHECK(found.bandwidth() == h);
      for (std::size_t i = 0; i < 60; ++i) CHECK(found.labels[i] == found.labels[i / 20 * 20]);
      CHECK(found.predict(X) == found.labels);
      CHECK(mean_shift(X.cast<float>(), {.metric = metric, .kernel = kernel, .bandwidth = h}).labels
            == found.labels);
    }
}

TEST_CASE("a Gaussian mode is where the density is flat", "[mean_shift]") {
  const Matrix<double> X = groups();
  const auto found = mean_shift(X, {.kernel = Gaussian{1.0}, .max_iter = 5000, .tol = 1e-9});
  const Mechanism m{Euclidean{}, Gaussian{1.0}, AllPairs{}, RowStochastic{}};
  CHECK((m.cross_operator(found.cluster_centers, X).apply(X) - found.cluster_centers).norm() < 1e-8);
  // Densest first.
  const double first = log_density(X, found.cluster_centers.row(0), 1),
               last = log_density(X, found.cluster_centers.row(2), 1);
  CHECK(first >= last);
}

TEST_CASE("flat mean shift on integers", "[mean_shift]") {
  // scikit-learn's own example.
  Matrix<double> X(6, 2);
  X << 1, 1, 2, 1, 1, 0, 4, 7, 3, 5, 3, 6;
  const auto found = mean_shift(X, {.bandwidth = 2});
  Matrix<double> want(2, 2);
  want << 10. / 3, 6, 4. / 3, 2. / 3;
  CHECK(found.cluster_centers.isApprox(want, 1e-12));
  CHECK(found.labels == std::vector<Index>{1, 1, 1, 0, 0, 0});
  Matrix<double> Q(2, 2);
  Q << 0, 0, 5, 5;
  CHECK(found.predict(Q) == std::vector<Index>{1, 0});
}

TEST_CASE("seeds, bins, orphans", "[mean_shift]") {
  const Matrix<double> X = groups();
  Matrix<double> seeds(2, 2);
  seeds << 0.2, 0.1, 6.2, 0.3;
  const auto two = mean_shift(X, {.bandwidth = 2, .seeds = seeds, .cluster_all = false});
  CHECK(two.cluster_centers.rows() == 2);
  for (std::size_t i = 40; i < 60; ++i) CHECK(two.labels[i] == -1);
  const auto binned = mean_shift(X, {.bandwidth = 2, .bin_seeding = true});
  CHECK(binned.labels == mean_shift(X, {.bandwidth = 2}).labels);
  CHECK(mean_shift(X, {.bandwidth = 2, .max_iter = 0}).report.n_iter == 0);

  CHECK(refusal([&] {
          mean_shift(X, {.bandwidth = 2, .seeds = Matrix<double>::Constant(1, 2, 100)});
        }).starts_with("seeds must be"));
  CHECK(refusal([&] {
          mean_shift(X, {.bandwidth = 2, .seeds = Matrix<double>::Zero(1, 3)});
        }).starts_with("seeds must be"));
  CHECK(refusal([&] { mean_shift(X, {.bandwidth = 2, .max_iter = -1}); }).starts_with("max_iter must be"));
  CHECK(refusal([&] { mean_shift(X, {.kernel = Exponential{}}); }).starts_with("kernel must be"));
  CHECK(refusal([&] {
          mean_shift(X, {.bandwidth = 1, .bin_seeding = true, .min_bin_freq = 61});
        }).starts_with("min_bin_freq must be"));
}

TEST_CASE("one point, equal points", "[mean_shift]") {
  const Matrix<double> one = Matrix<double>::Constant(1, 2, 3), equal = Matrix<double>::Constant(5, 2, 3);
  for (const Matrix<double>& X : {one, equal}) {
    const auto found = mean_shift(X);
    CHECK(found.cluster_centers.isApprox(one));
    CHECK(found.labels == std::vector<Index>(static_cast<std::size_t>(X.rows()), 0));
  }
}

TEST_CASE("the estimated bandwidth is the mean distance to a neighbor of that rank", "[mean_shift]") {
  const Matrix<double> X = samples::normal(700, 2, 24);  // more than one block
  double want = 0;
  for (Index i = 0; i < X.rows(); ++i) {
    Eigen::VectorXd d = (X.rowwise() - X.row(i)).rowwise().norm();
    std::sort(d.begin(), d.end());
    want += d(69) / 700;
  }
  CHECK(estimate_bandwidth<double>(X, 0.1) == Approx(want));
  CHECK(refusal([&] { estimate_bandwidth<double>(X, 1.5); }).starts_with("quantile must be"));
}
