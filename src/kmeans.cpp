#include <likewise/kmeans.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <utility>

#include <likewise/error.hpp>

#include "engine/parallel.hpp"
#include "operator/checks.hpp"

namespace likewise {

namespace {

using Labels = std::vector<Index>;
constexpr double infinity = std::numeric_limits<double>::infinity();

/// Labels, and squared distances to the center of each label, in float64.
struct Assignment {
  Labels labels;
  Vector<double> cost;
};

Assignment assign(const Matrix<double>& X, const Matrix<double>& centers, const Execution& run) {
  constexpr Index block = 1024;
  Assignment a{Labels(static_cast<std::size_t>(X.rows())), Vector<double>(X.rows())};
  engine::parallel_blocks(engine::block_count(X.rows(), block), run, "k-means", [&](Index b) {
    const engine::Block rows = engine::block_of(b, X.rows(), block);
    for (Index i = rows.begin; i < rows.begin + rows.size; ++i)
      a.cost(i) = (centers.rowwise() - X.row(i))
                      .rowwise()
                      .squaredNorm()
                      .minCoeff(&a.labels[static_cast<std::size_t>(i)]);
  });
  return a;
}

Vector<double> squared_distances(const Matrix<double>& X, Index i) {
  return (X.rowwise() - X.row(i)).rowwise().squaredNorm();
}

/// Uniform in [0, 1), the same on every platform.
double uniform(std::mt19937_64& random) { return std::ldexp(static_cast<double>(random() >> 11), -53); }

/// An index with probability proportional to its weight; any index where all weights are 0.
Index draw(const Vector<double>& weights, std::mt19937_64& random) {
  const double total = weights.sum();
  double left = uniform(random) * total;
  if (!(total > 0)) return static_cast<Index>(random() % static_cast<std::uint64_t>(weights.size()));
  Index last = 0;
  for (Index i = 0; i < weights.size(); ++i) {
    if (weights(i) > 0) last = i;
    left -= weights(i);
    if (left < 0) break;
  }
  return last;
}

/// k-means++: each next center is drawn by squared distance to those before, the best of a few draws.
Matrix<double> seed_centers(const Matrix<double>& X, Index k, std::mt19937_64& random) {
  const int n_trials = 2 + static_cast<int>(std::log(static_cast<double>(k)));
  Matrix<double> centers(k, X.cols());
  Vector<double> nearest = Vector<double>::Ones(X.rows());
  for (Index c = 0; c < k; ++c) {
    Index best = 0;
    Vector<double> best_nearest;
    double least = infinity;
    for (int trial = 0; trial < (c == 0 ? 1 : n_trials); ++trial) {
      const Index i = draw(nearest, random);
      const Vector<double> d2 = squared_distances(X, i);
      Vector<double> then = c == 0 ? d2 : Vector<double>(nearest.cwiseMin(d2));
      if (const double sum = then.sum(); sum < least) {
        least = sum;
        best = i;
        best_nearest = std::move(then);
      }
    }
    centers.row(c) = X.row(best);
    nearest = std::move(best_nearest);
  }
  return centers;
}

/// Means of the clusters; an empty one takes over the point farthest from its center, if any is away from it.
Matrix<double> means(const Matrix<double>& X, Assignment& a, const Matrix<double>& old_centers) {
  Matrix<double> centers = Matrix<double>::Zero(old_centers.rows(), X.cols());
  Vector<double> count = Vector<double>::Zero(old_centers.rows());
  for (Index i = 0; i < X.rows(); ++i) count(a.labels[static_cast<std::size_t>(i)]) += 1;
  for (Index c = 0; c < centers.rows(); ++c) {
    Index farthest = 0;
    if (count(c) > 0 || !(a.cost.maxCoeff(&farthest) > 0)) continue;
    count(a.labels[static_cast<std::size_t>(farthest)]) -= 1;
    count(c) = 1;
    a.labels[static_cast<std::size_t>(farthest)] = c;
    a.cost(farthest) = 0;
  }
  for (Index i = 0; i < X.rows(); ++i) centers.row(a.labels[static_cast<std::size_t>(i)]) += X.row(i);
  for (Index c = 0; c < centers.rows(); ++c)
    if (count(c) > 0)
      centers.row(c) /= count(c);
    else
      centers.row(c) = old_centers.row(c);
  return centers;
}

KMeans<double> lloyd(const Matrix<double>& X, Matrix<double> centers, double max_move, int max_iter,
                     const Execution& run) {
  KMeans<double> fit;
  fit.report = {.n_iter = 0, .residual = infinity, .converged = false, .solver = "lloyd"};
  Assignment a = assign(X, centers, run);
  while (fit.report.n_iter < max_iter && !fit.report.converged) {
    const Matrix<double> moved = means(X, a, centers);
    fit.report.residual = (moved - centers).squaredNorm();
    fit.report.converged = fit.report.residual <= max_move;
    ++fit.report.n_iter;
    centers = moved;
    a = assign(X, centers, run);
  }
  fit.cluster_centers = std::move(centers);
  fit.labels = std::move(a.labels);
  fit.inertia = a.cost.sum();
  return fit;
}

double mean_column_variance(const Matrix<double>& X) {
  return (X.rowwise() - X.colwise().mean()).squaredNorm() / static_cast<double>(X.size());
}

}  // namespace

template <class T>
KMeans<T> kmeans(const Points<T>& points, const KMeansOptions& options, const Execution& run) {
  check_points<T>("X", points);
  require(
      options.n_clusters >= 1 && options.n_clusters <= points.rows(), "n_clusters",
      "an int in [1, " + std::to_string(points.rows()) + "] (" + std::to_string(points.rows()) + " samples)",
      options.n_clusters);
  require(options.n_init >= 1, "n_init", "an int of at least 1", options.n_init);
  const Matrix<double> X = points.template cast<double>();
  const double max_move = options.tol * mean_column_variance(X);
  std::mt19937_64 random(options.seed);
  KMeans<double> best;
  best.inertia = infinity;
  for (int start = 0; start < options.n_init; ++start) {
    KMeans<double> fit =
        lloyd(X, seed_centers(X, options.n_clusters, random), max_move, options.max_iter, run);
    if (fit.inertia < best.inertia) best = std::move(fit);
  }
  return {best.cluster_centers.template cast<T>(), std::move(best.labels), best.inertia, best.report};
}

template <class T>
std::vector<Index> nearest_center(const Points<T>& X, const Points<T>& centers, const Execution& run) {
  require(X.cols() == centers.cols(), "X", "an array with " + std::to_string(centers.cols()) + " columns",
          X.cols());
  return assign(X.template cast<double>(), centers.template cast<double>(), run).labels;
}

#define LIKEWISE_INSTANTIATE(T)                                                        \
  template KMeans<T> kmeans(const Points<T>&, const KMeansOptions&, const Execution&); \
  template std::vector<Index> nearest_center(const Points<T>&, const Points<T>&, const Execution&);
LIKEWISE_INSTANTIATE(float)
LIKEWISE_INSTANTIATE(double)
#undef LIKEWISE_INSTANTIATE

}  // namespace likewise
