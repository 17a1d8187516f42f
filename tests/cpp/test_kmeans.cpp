#include <random>
#include <set>

#include <likewise/error.hpp>
#include <likewise/kmeans.hpp>

#include "catch.hpp"

using namespace likewise;

namespace {

Matrix<double> three_groups(Index n_each) {
  std::mt19937 random(3);
  std::normal_distribution<double> normal(0, 0.1);
  Matrix<double> X(3 * n_each, 2);
  for (Index i = 0; i < X.rows(); ++i)
    X.row(i) << normal(random) + static_cast<double>(i % 3), normal(random) + (i % 3 == 1 ? 1.0 : 0.0);
  return X;
}

}  // namespace

TEST_CASE("k-means finds separate groups, their means and their inertia", "[kmeans]") {
  const Matrix<double> X = three_groups(50);
  const KMeans<double> fit = kmeans<double>(X, {.n_clusters = 3, .tol = 0});
  Matrix<double> means = Matrix<double>::Zero(3, 2);
  for (Index i = 0; i < X.rows(); ++i) means.row(i % 3) += X.row(i) / 50;
  double inertia = 0;
  for (Index i = 0; i < X.rows(); ++i) inertia += (X.row(i) - means.row(i % 3)).squaredNorm();
  for (Index i = 0; i < X.rows(); ++i) {
    const Index label = fit.labels[static_cast<std::size_t>(i)];
    CHECK((fit.cluster_centers.row(label) - means.row(i % 3)).norm() < 1e-12);
  }
  CHECK(fit.inertia == Approx(inertia));
  CHECK(fit.report.converged);
  CHECK(nearest_center<double>(X, fit.cluster_centers) == fit.labels);
}

TEST_CASE("k-means: as many clusters as points, and one", "[kmeans]") {
  const Matrix<double> X = three_groups(3);
  const KMeans<double> all = kmeans<double>(X, {.n_clusters = 9});
  CHECK(all.inertia == 0);
  CHECK(std::set<Index>(all.labels.begin(), all.labels.end()).size() == 9);
  const KMeans<double> one = kmeans<double>(X, {.n_clusters = 1});
  CHECK((one.cluster_centers.row(0) - X.colwise().mean()).norm() < 1e-12);
}

TEST_CASE("k-means with fewer distinct points than clusters ends with finite centers", "[kmeans]") {
  Matrix<double> X = Matrix<double>::Zero(6, 1);
  X(5, 0) = 1;
  const KMeans<double> fit = kmeans<double>(X, {.n_clusters = 4});
  CHECK(fit.inertia == 0);
  CHECK(fit.cluster_centers.allFinite());
  CHECK(fit.labels[5] != fit.labels[0]);
}

TEST_CASE("k-means repeats itself for a seed and any number of threads", "[kmeans]") {
  const Matrix<float> X = Matrix<float>::Random(3000, 4);
  const KMeans<float> one = kmeans<float>(X, {.n_clusters = 7, .n_init = 2, .seed = 5}, {.n_jobs = 1});
  const KMeans<float> two = kmeans<float>(X, {.n_clusters = 7, .n_init = 2, .seed = 5}, {.n_jobs = 2});
  CHECK(one.labels == two.labels);
  CHECK(one.cluster_centers == two.cluster_centers);
}

TEST_CASE("k-means refuses more clusters than points", "[kmeans]") {
  const Matrix<double> X = Matrix<double>::Random(3, 2);
  CHECK_THROWS_WITH(kmeans<double>(X, {.n_clusters = 4}),
                    Catch::Contains("n_clusters must be an int in [1, 3]"));
}
