#include <likewise/kmeans.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <utility>

#include <likewise/error.hpp>

#include "checks.hpp"
#include "engine/call.hpp"
#include "engine/parallel.hpp"
#include "engine/simd/nearest_centers.hpp"
#include "until_still.hpp"

namespace likewise {

namespace {

using engine::PointColumns;
using Labels = std::vector<Index>;
using BlockOfNumbers = Eigen::Matrix<double, PointColumns::block, 1>;
constexpr double infinity = std::numeric_limits<double>::infinity();

/// Labels, and squared distances to the center of each label, in float64.
struct Assignment {
  Labels labels;
  Vector<double> cost;
};

Assignment assign(const PointColumns& X, const Matrix<double>& centers, const Execution& run) {
  Assignment a{Labels(static_cast<std::size_t>(X.size())), Vector<double>(X.size())};
  const Execution threads =
      engine::sized(run, static_cast<double>(X.size()) * static_cast<double>(centers.size()));
  engine::parallel_blocks(X.blocks(), threads, "k-means", [&](Index b) {
    BlockOfNumbers number, cost;
    engine::nearest_centers(X, b, centers, number.data(), cost.data());
    const engine::Block points = X.points(b);
    for (Index i = 0; i < points.size; ++i) {
      a.labels[static_cast<std::size_t>(points.begin + i)] = static_cast<Index>(number(i));
      a.cost(points.begin + i) = cost(i);
    }
  });
  return a;
}

/// The random numbers of one start.
std::mt19937_64 stream(std::uint64_t seed, Index start) {
  std::seed_seq words{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32),
                      static_cast<std::uint32_t>(start)};
  return std::mt19937_64(words);
}

/// Uniform in [0, 1), the same on every platform.
double uniform(std::mt19937_64& random) { return std::ldexp(static_cast<double>(random() >> 11), -53); }

/// An index with probability proportional to its weight; any index where all weights are 0. `block_sums` are those of
/// the points' blocks.
Index draw(const Vector<double>& weights, const Vector<double>& block_sums, Index n,
           std::mt19937_64& random) {
  const double total = block_sums.sum();
  double left = uniform(random) * total;
  if (!(total > 0)) return static_cast<Index>(random() % static_cast<std::uint64_t>(n));
  Index b = 0;
  for (; b + 1 < block_sums.size() && left >= block_sums(b); ++b) left -= block_sums(b);
  Index last = 0;
  for (Index i = b * PointColumns::block; i < n; ++i) {
    if (weights(i) > 0) last = i;
    left -= weights(i);
    if (left < 0) break;
  }
  return last;
}

/// k-means++: each next center is drawn by squared distance to those before, the best of a few draws.
Matrix<double> seed_centers(const Matrix<double>& X, const PointColumns& columns, Index k,
                            std::mt19937_64& random, const Execution& run) {
  const Index n = X.rows(), n_blocks = columns.blocks(), padded = n_blocks * PointColumns::block;
  const Index n_trials = 2 + static_cast<Index>(std::log(static_cast<double>(k)));
  Matrix<double> centers(k, X.cols());
  Vector<double> nearest = Vector<double>::Constant(padded, infinity), then(padded * n_trials);
  Vector<double> sums = Vector<double>::Ones(n_blocks);
  for (Index b = 0; b < n_blocks; ++b) sums(b) = static_cast<double>(columns.points(b).size);
  Vector<double> weights = Vector<double>::Ones(padded);  // of the first draw
  const Execution threads = engine::sized(run, static_cast<double>(X.size() * n_trials));
  for (Index c = 0; c < k; ++c) {
    std::vector<Index> drawn(static_cast<std::size_t>(c == 0 ? 1 : n_trials));
    for (Index& i : drawn) i = draw(c == 0 ? weights : nearest, sums, n, random);
    const Matrix<double> candidates = X(drawn, Eigen::all);
    Matrix<double> sums_with(candidates.rows(), n_blocks);
    engine::parallel_blocks(n_blocks, threads, "k-means", [&](Index b) {
      const Index at = b * PointColumns::block;
      double* const trials = then.data() + at * n_trials;
      engine::nearer_with_each(columns, b, candidates, nearest.data() + at, trials);
      for (Index t = 0; t < candidates.rows(); ++t)
        sums_with(t, b) =
            Eigen::Map<const Vector<double>>(trials + t * PointColumns::block, columns.points(b).size).sum();
    });
    Index best = 0;
    sums_with.rowwise().sum().minCoeff(&best);
    centers.row(c) = candidates.row(best);
    sums = sums_with.row(best).transpose();
    for (Index b = 0; b < n_blocks; ++b)
      std::copy_n(then.data() + (b * n_trials + best) * PointColumns::block, PointColumns::block,
                  nearest.data() + b * PointColumns::block);
  }
  return centers;
}

/// Sums and sizes of clusters, kept up from one assignment to the next.
class ClusterSums {
 public:
  ClusterSums(const Matrix<double>& X, Index k) : X_(X), sums_(k, X.cols()), counts_(k) {}

  /// Counts what moved; all anew where much did, and where nothing did, so that the end has no rounding of the way.
  void follow(const Labels& labels) {
    std::vector<std::size_t> moved;
    if (!last_.empty())
      for (std::size_t i = 0; i < labels.size(); ++i)
        if (labels[i] != last_[i]) moved.push_back(i);
    if (last_.empty() || moved.empty() || 4 * moved.size() > labels.size()) {
      sums_.setZero();
      counts_.setZero();
      for (std::size_t i = 0; i < labels.size(); ++i) put(i, labels[i], 1);
    } else {
      for (const std::size_t i : moved) {
        put(i, last_[i], -1);
        put(i, labels[i], 1);
      }
    }
    last_ = labels;
  }
  /// An empty cluster takes over the point farthest from its center, if any is away from it.
  void fill_empty(Assignment& a) {
    bool filled = false;
    for (Index c = 0; c < counts_.size(); ++c) {
      Index farthest = 0;
      if (counts_(c) > 0 || !(a.cost.maxCoeff(&farthest) > 0)) continue;
      Index& label = a.labels[static_cast<std::size_t>(farthest)];
      counts_(label) -= 1;
      counts_(c) = 1;
      label = c;
      a.cost(farthest) = 0;
      filled = true;
    }
    if (!filled) return;
    last_.clear();
    follow(a.labels);
  }
  /// The means; an empty cluster keeps its center.
  Matrix<double> means(const Matrix<double>& old_centers) const {
    Matrix<double> centers = old_centers;
    for (Index c = 0; c < centers.rows(); ++c)
      if (counts_(c) > 0) centers.row(c) = sums_.row(c) / counts_(c);
    return centers;
  }

 private:
  void put(std::size_t i, Index c, double sign) {
    const double* const x = X_.data() + static_cast<Index>(i) * X_.cols();
    double* const sum = sums_.data() + c * X_.cols();
    for (Index p = 0; p < X_.cols(); ++p) sum[p] += sign * x[p];
    counts_(c) += sign;
  }

  const Matrix<double>& X_;
  Matrix<double> sums_;
  Vector<double> counts_;
  Labels last_;
};

KMeans<double> lloyd(const Matrix<double>& X, const PointColumns& columns, Matrix<double> centers,
                     double max_move, int max_iter, const Execution& run) {
  KMeans<double> fit;
  ClusterSums clusters(X, centers.rows());
  Assignment a = assign(columns, centers, run);
  fit.report = until_still("lloyd", max_iter, [&]() -> Move {
    clusters.follow(a.labels);
    clusters.fill_empty(a);
    const Matrix<double> moved = clusters.means(centers);
    const double residual = (moved - centers).squaredNorm();
    centers = moved;
    a = assign(columns, centers, run);
    return {residual, residual <= max_move};
  });
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
  const engine::Call call(run);
  check_points<T>("X", points);
  require(
      options.n_clusters >= 1 && options.n_clusters <= points.rows(), "n_clusters",
      "an int in [1, " + std::to_string(points.rows()) + "] (" + std::to_string(points.rows()) + " samples)",
      options.n_clusters);
  require(options.n_init >= 1, "n_init", "an int of at least 1", options.n_init);
  const Matrix<double> X = points.template cast<double>();
  const double max_move = options.tol * mean_column_variance(X);
  const PointColumns columns(X);
  // Starts run beside each other, each from its own stream of random numbers.
  std::vector<KMeans<double>> fits(static_cast<std::size_t>(options.n_init));
  const double operations = static_cast<double>(X.size()) * static_cast<double>(options.n_clusters);
  const auto fit = [&](Index start, const Execution& inside) {
    std::mt19937_64 random = stream(options.seed, start);
    Matrix<double> centers = seed_centers(X, columns, options.n_clusters, random, inside);
    fits[static_cast<std::size_t>(start)] =
        lloyd(X, columns, std::move(centers), max_move, options.max_iter, inside);
  };
  if (options.n_init > 1 && operations < 1e8)
    engine::parallel_tasks(options.n_init, engine::sized(run, 100 * operations), "k-means", fit);
  else
    for (Index start = 0; start < options.n_init; ++start) fit(start, run);
  const auto least = std::min_element(fits.begin(), fits.end(),
                                      [](const auto& a, const auto& b) { return a.inertia < b.inertia; });
  KMeans<double> best = std::move(*least);
  return {best.cluster_centers.template cast<T>(), std::move(best.labels), best.inertia, best.report};
}

template <class T>
std::vector<Index> nearest_center(const Points<T>& X, const Points<T>& centers, const Execution& run) {
  const engine::Call call(run);
  require(X.cols() == centers.cols(), "X", "an array with " + std::to_string(centers.cols()) + " columns",
          X.cols());
  return assign(PointColumns(X.template cast<double>()), centers.template cast<double>(), run).labels;
}

#define LIKEWISE_INSTANTIATE(T)                                                        \
  template KMeans<T> kmeans(const Points<T>&, const KMeansOptions&, const Execution&); \
  template std::vector<Index> nearest_center(const Points<T>&, const Points<T>&, const Execution&);
LIKEWISE_INSTANTIATE(float)
LIKEWISE_INSTANTIATE(double)
#undef LIKEWISE_INSTANTIATE

}  // namespace likewise
