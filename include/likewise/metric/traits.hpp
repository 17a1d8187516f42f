// What a metric is: a cost c(x, z), lower is closer, and the laws it declares.
#pragma once

#include <concepts>
#include <map>
#include <string>
#include <utility>

#include <likewise/types.hpp>
#include <likewise/value.hpp>

namespace likewise {

/// The laws of a cost. Whoever needs one asks for it; nobody asks which metric it is.
struct MetricTraits {
  bool symmetric = false;            ///< c(x, z) = c(z, x)
  bool zero_on_self = false;         ///< c(x, x) = 0 and c >= 0
  bool triangle_inequality = false;  ///< of the distance c^(1/distance_power)
  bool shift_invariant = false;      ///< c(x + s, z + s) = c(x, z): the engine may center
  /// The cost is d^distance_power: 1 a distance, 2 a squared distance, 0 neither.
  int distance_power = 0;
  /// What a lift gives is d^lift_power; 0: the cost itself, which is no distance.
  int lift_power = 0;
  bool lifts = false;
  /// What kneighbors and Radius report and read is d rather than c (Mahalanobis: |Wx - Wz|).
  bool reports_root = false;

  bool operator==(const MetricTraits&) const = default;
};

/// c(x, z) = a(x) + b(z) - <A(x), B(z)>: a row of features and one bias for each point.
template <class T> struct Lift {
  Matrix<T> features;
  Vector<T> bias;
};

/// What a loss's derivative by costs means for the points and for the metric's own parameters, by their names.
template <class T> struct PointGradient {
  Matrix<T> queries, keys;
  std::map<std::string, Matrix<double>> parameters;
};

/// A cost between two points: the definition, and every test's oracle.
template <class M>
concept PointCost = SlotValue<M> && requires(const M& m, RowRef<double> x) {
  { m.traits() } -> std::same_as<MetricTraits>;
  { m.cost(x, x) } -> std::convertible_to<double>;
};

/// A cost that is an inner product of lifted points: the engine multiplies matrices. O(n d) to lift.
template <class M>
concept LiftedMetric = PointCost<M> && requires(const M& m, Points<double> x) {
  { m.lift_queries(x) } -> std::same_as<Lift<double>>;
  { m.lift_keys(x) } -> std::same_as<Lift<double>>;
};

/// A lift that leaves points as they are, without centering, and has no biases: nothing is copied.
template <class M>
concept IdentityLift = LiftedMetric<M> && M::identity_lift;

/// A lift with a derivative: pull(x, gx, z, gz, out) turns the gradients by the lifted queries and keys into those by
/// the points and the parameters. gx and gz are handed over: taken by value, what they hold can be kept.
template <class M>
concept DifferentiableLift = LiftedMetric<M> && requires(const M& m, Points<double> x, Lift<double> g,
                                                         PointGradient<double> out) {
  m.pull(x, g, x, g, out);
};

/// Any other cost: fills a tile, called once a tile, never once a pair.
template <class M>
concept TileMetric = SlotValue<M> && requires(const M& m, Points<double> x, Tile<double> out) {
  { m.traits() } -> std::same_as<MetricTraits>;
  m.fill(x, x, out);
};

/// A tile metric with a derivative: pull_tile(x, z, dcost, gx, gz) adds sum_j dcost_ij dc_ij/dx_i to gx, and so for z.
/// Where the derivative jumps (a difference of 0, a tie of the largest) it takes 0 or the first.
template <class M>
concept DifferentiableTile = TileMetric<M> && requires(const M& m, Points<double> x, Tile<double> g) {
  m.pull_tile(x, x, x, g, g);
};

namespace detail {
/// Folds |x_k - z_k| into out(i, j) one feature k after the other: `fold(i, differences of x_i to all keys)`.
/// Runs along the keys, which are contiguous after one transposition: vector code even for two features. O(n
/// m d).
template <class T, class Fold>
void fold_features(const Points<T>& x, const Points<T>& z, Tile<T>& out, const Fold& fold) {
  const Matrix<T> features = z.transpose();
  out.setZero();
  for (Index i = 0; i < x.rows(); ++i)
    for (Index k = 0; k < x.cols(); ++k) fold(i, (features.row(k).array() - x(i, k)).abs());
}

/// Adds slope(i, j, x_i - z_j), a row, to gx's row i and takes it from gz's row j, for every pair. O(n m d).
template <class T, class Slope>
void pull_features(const Points<T>& x, const Points<T>& z, Tile<T>& gx, Tile<T>& gz, const Slope& slope) {
  for (Index i = 0; i < x.rows(); ++i)
    for (Index j = 0; j < z.rows(); ++j) {
      const Eigen::Array<T, 1, Eigen::Dynamic> g = slope(i, j, (x.row(i) - z.row(j)).array());
      gx.row(i).array() += g;
      gz.row(j).array() -= g;
    }
}
}  // namespace detail

}  // namespace likewise
