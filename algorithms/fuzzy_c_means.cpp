#include <likewise/algorithms/fuzzy_c_means.hpp>

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include <likewise/kmeans.hpp>
#include <likewise/operator.hpp>

#include "checks.hpp"
#include "engine/call.hpp"
#include "until_still.hpp"

namespace likewise {
namespace {

void check(const FuzzyCMeansOptions& o, Index n, Index n_features, const Vector<double>& weights) {
  require(o.n_clusters >= 1 && o.n_clusters <= n, "n_clusters", "in [1, " + std::to_string(n) + "]",
          o.n_clusters);
  require(o.m > 1 && std::isfinite(o.m), "m", "a finite number above 1", o.m);
  require(o.n_init >= 1, "n_init", "an int >= 1", o.n_init);
  require(o.max_iter >= 1, "max_iter", "an int >= 1", o.max_iter);
  require(o.tol >= 0, "tol", "a number >= 0", o.tol);
  require(!o.centers || (o.centers->rows() == o.n_clusters && o.centers->cols() == n_features), "init",
          "of shape (" + std::to_string(o.n_clusters) + ", " + std::to_string(n_features) + ")",
          o.centers ? std::to_string(o.centers->rows()) + " x " + std::to_string(o.centers->cols()) : "");
  require(!o.centers || o.centers->allFinite(), "init", "finite", "NaN or infinity");
  require(weights.size() == 0 || weights.size() == n, "weights",
          "one for each of " + std::to_string(n) + " points", weights.size());
  require(weights.allFinite() && (weights.array() >= 0).all() && (weights.size() == 0 || weights.sum() > 0),
          "weights", "finite, not negative and not all 0", "other numbers");
}

/// u of the points, each row a law of centers.
template <class T>
Matrix<T> belonging(const Mechanism& m, const Points<T>& X, const Points<T>& centers, const Execution& run) {
  return m.cross_operator(X, centers, {.storage = "dense"}, run).dense(run);
}

/// w_i u_ij^m.
Matrix<double> shares_of(const Matrix<double>& u, double m, const Vector<double>& weights) {
  Matrix<double> shares = u.array().pow(m);
  if (weights.size()) shares = weights.asDiagonal() * shares;
  return shares;
}

/// The means of the points by these shares; a center without any stays.
Matrix<double> means(const Matrix<double>& shares, const Matrix<double>& X, Matrix<double> centers) {
  const Vector<double> mass = shares.colwise().sum();
  const Matrix<double> sums = shares.transpose() * X;
  for (Index j = 0; j < centers.rows(); ++j)
    if (mass(j) > 0) centers.row(j) = sums.row(j) / mass(j);
  return centers;
}

double objective_of(const Matrix<double>& shares, const Matrix<double>& X, const Matrix<double>& centers) {
  double sum = 0;
  for (Index j = 0; j < centers.rows(); ++j)
    sum += shares.col(j).dot((X.rowwise() - centers.row(j)).rowwise().squaredNorm());
  return sum;
}

/// The centers that are given, else a step of k-means from a start of its own, on the points that count.
Matrix<double> centers_to_start_at(const Matrix<double>& X, const FuzzyCMeansOptions& o,
                                   const Vector<double>& weights, int start, const Execution& run) {
  if (o.centers) return *o.centers;
  std::vector<Index> counted;
  for (Index i = 0; i < X.rows(); ++i)
    if (weights.size() == 0 || weights(i) > 0) counted.push_back(i);
  require(o.n_clusters <= std::ssize(counted), "n_clusters",
          "at most the " + std::to_string(counted.size()) + " points of positive weight", o.n_clusters);
  const Matrix<double> points = X(counted, Eigen::all);
  return kmeans<double>(points,
                        {.n_clusters = o.n_clusters,
                         .n_init = 1,
                         .max_iter = 1,
                         .seed = o.seed + static_cast<std::uint64_t>(start)},
                        run)
      .cluster_centers;
}

template <class T>
FuzzyCMeans<T> one_start(const Mechanism& mechanism, const Matrix<double>& X, Matrix<double> centers,
                         const FuzzyCMeansOptions& o, const Vector<double>& weights, const Execution& run) {
  const double variance = (X.rowwise() - X.colwise().mean()).squaredNorm() / static_cast<double>(X.size());
  const auto u_of = [&](const Matrix<double>& at) { return belonging<double>(mechanism, X, at, run); };
  FuzzyCMeans<T> found;
  found.mechanism = mechanism;
  found.report = until_still("iterate", o.max_iter, [&]() -> Move {
    const Matrix<double> next = means(shares_of(u_of(centers), o.m, weights), X, centers);
    const double moved = variance > 0 ? (next - centers).squaredNorm() / variance : 0.0;
    centers = next;
    return {moved, moved <= o.tol};
  });
  const Matrix<double> u = u_of(centers);
  found.objective = objective_of(shares_of(u, o.m, weights), X, centers);
  found.memberships = u.template cast<T>();
  found.cluster_centers = centers.template cast<T>();
  return found;
}

}  // namespace

template <class T>
FuzzyCMeans<T> fit_fuzzy_c_means(const Points<T>& X, const FuzzyCMeansOptions& o,
                                 const Vector<double>& weights, const Execution& run) {
  const engine::Call call(run);
  check_points<T>("X", X);
  check(o, X.rows(), X.cols(), weights);
  const Mechanism mechanism{.metric = Euclidean{}, .kernel = InverseDistance{2 / (o.m - 1)}};
  const Matrix<double> points = X.template cast<double>();
  require(std::isfinite((points.rowwise() - points.colwise().mean()).squaredNorm()), "X",
          "of magnitudes whose squares fit into float64 (below 1e150)", "larger ones");
  std::optional<FuzzyCMeans<T>> best;
  for (int start = 0; start < (o.centers ? 1 : o.n_init); ++start) {
    FuzzyCMeans<T> found =
        one_start<T>(mechanism, points, centers_to_start_at(points, o, weights, start, run), o, weights, run);
    if (!best || found.objective < best->objective) best = std::move(found);
  }
  return *best;
}

template <class T> Matrix<T> FuzzyCMeans<T>::predict(const Points<T>& X, const Execution& run) const {
  const engine::Call call(run);
  return belonging<T>(mechanism, X, cluster_centers, run);
}

template struct FuzzyCMeans<float>;
template struct FuzzyCMeans<double>;
template FuzzyCMeans<float> fit_fuzzy_c_means(const Points<float>&, const FuzzyCMeansOptions&,
                                              const Vector<double>&, const Execution&);
template FuzzyCMeans<double> fit_fuzzy_c_means(const Points<double>&, const FuzzyCMeansOptions&,
                                               const Vector<double>&, const Execution&);

}  // namespace likewise
