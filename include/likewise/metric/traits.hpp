// What a metric is: a cost c(x, z), lower is closer, and the laws it declares.
#pragma once

#include <concepts>
#include <map>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include <likewise/metric/feature_term.hpp>
#include <likewise/types.hpp>
#include <likewise/value.hpp>

namespace likewise {

/// A law without a default: it has to be stated, or what contains it does not compile.
template <class T> struct Stated {
  T value;
  constexpr Stated(T stated) : value(stated) {}
  constexpr operator T() const { return value; }
  constexpr T operator->() const requires std::is_pointer_v<T> { return value; }
};

/// The laws of a lift c(x, z) = a(x) + b(z) - <A(x), B(z)>.
struct LiftLaws {
  /// What the lift gives is d^power; 0: the cost itself, which is no distance.
  Stated<int> power;
  /// Where B(z) = ratio A(z) and the lift is |ratio A(x) - B(z)|^2 / (2 ratio), so that a small one can be found again
  /// from differences, that ratio; 0: it is of no such form.
  Stated<double> ratio;
  bool operator==(const LiftLaws&) const = default;
};

/// d = (sum_k |u_k - v_k|^power)^(1/power) of points u and v as the metric sees them; power infinity: the largest one.
struct CoordinateSum {
  Stated<double> power;
  /// Points are seen as W x with this W, which belongs to the metric; null: as they are.
  Stated<const Matrix<double>*> factor;
};

/// How many features queries and keys must have.
struct Widths {
  static constexpr Index any = -1;  ///< queries as many as keys
  Stated<Index> queries, keys;
};
constexpr Widths equal_widths{Widths::any, Widths::any};

/// The laws of a cost. Whoever needs one asks for it; nobody asks which metric it is. Those that have a default here
/// allow nothing by it: a metric that does not state them is slower or refused, never wrong.
struct MetricTraits {
  bool symmetric = false;            ///< c(x, z) = c(z, x)
  bool zero_on_self = false;         ///< c(x, x) = 0 and c >= 0
  bool triangle_inequality = false;  ///< of the distance c^(1/distance_power)
  bool shift_invariant = false;      ///< c(x + s, z + s) = c(x, z): the engine may center
  /// The cost is d^distance_power: 1 a distance, 2 a squared distance, 0 neither.
  int distance_power = 0;
  std::optional<LiftLaws> lift = {};
  /// What kneighbors and Radius report and read is d rather than c (Mahalanobis: |Wx - Wz|).
  bool reports_root = false;
  /// c(x, z) = |x/|x| - z/|z||^2 / 2 wherever neither point is 0: searches compute that without the metric's help.
  bool half_chord = false;

  constexpr bool lifts() const { return lift.has_value(); }
  constexpr int lift_power() const { return lift ? lift->power.value : 0; }
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

/// What every metric says of itself; check() throws where a parameter is not what it allows.
template <class M>
concept MetricValue = SlotValue<M> && requires(const M& m) {
  { m.traits() } -> std::same_as<MetricTraits>;
  m.check();
};

/// What a metric on points says: how many features they have, and whether its distance is a sum over coordinates, of
/// which trees, densities and differences of far points make use (nothing: it is not).
template <class M>
concept MetricOfPoints = MetricValue<M> && requires(const M& m) {
  { m.widths() } -> std::same_as<Widths>;
  { m.coordinate_sum() } -> std::same_as<std::optional<CoordinateSum>>;
};

/// A cost between two points: the definition, and every test's oracle.
template <class M>
concept PointCost = MetricOfPoints<M> && requires(const M& m, RowRef<double> x) {
  { m.cost(x, x) } -> std::convertible_to<double>;
};

/// A cost that is an inner product of lifted points: the engine multiplies matrices. O(n d) to lift.
/// projection_size(q, k) bounds the products inside a lift of queries of length q and keys of length k that is made by
/// multiplying matrices, and with them its rounding; 0 where nothing is multiplied.
template <class M>
concept LiftedMetric = PointCost<M> && requires(const M& m, Points<double> x, double length) {
  { m.lift_queries(x) } -> std::same_as<Lift<double>>;
  { m.lift_keys(x) } -> std::same_as<Lift<double>>;
  { m.projection_size(length, length) } -> std::same_as<double>;
};

/// A lift that leaves points as they are, without centering, and has no biases: nothing is copied.
template <class M>
concept IdentityLift = LiftedMetric<M> && M::identity_lift;

/// A lift with a derivative: vjp(x, gx, z, gz, out) turns the gradients by the lifted queries and keys into those by
/// the points and the parameters. gx and gz are handed over: taken by value, what they hold can be kept.
template <class M>
concept DifferentiableLift = LiftedMetric<M> && requires(const M& m, Points<double> x, Lift<double> g,
                                                         PointGradient<double> out) {
  m.vjp(x, g, x, g, out);
};

/// Any other cost: fills a tile, called once a tile, never once a pair.
template <class M>
concept TileMetric = MetricOfPoints<M> && requires(const M& m, Points<double> x, Tile<double> out) {
  m.fill(x, x, out);
};

/// A tile metric with a derivative: vjp_tile(x, z, dcost, gx, gz) adds sum_j dcost_ij dc_ij/dx_i to gx, and so for z.
/// Where the derivative jumps (a difference of 0, a tie of the largest) it takes 0 or the first.
template <class M>
concept DifferentiableTile = TileMetric<M> && requires(const M& m, Points<double> x, Tile<double> g) {
  m.vjp_tile(x, x, x, g, g);
};

/// The same of a metric with a parameter of its own: vjp_tile(x, z, dcost, gx, gz, by_parameter), with a row of
/// tile_parameter_size() numbers for what each query adds to the derivative by `tile_parameter`.
template <class M>
concept DifferentiableTileParameter = TileMetric<M> && requires(const M& m, Points<double> x,
                                                                Tile<double> g) {
  m.vjp_tile(x, x, x, g, g, g);
  { m.tile_parameter_size() } -> std::same_as<Index>;
  { M::tile_parameter } -> std::convertible_to<const char*>;
};

/// c(x, z) = -sum_k term(x_k, z_k) of points as they are. `a` (one number a feature) and `slope` are leaky_relu's.
struct FeatureSum {
  FeatureTerm term;
  const Vector<double>* a = nullptr;
  double slope = 0;
};

/// A cost that may be such a sum (nothing: it is none): loops over lists of edges take its terms where the points lie.
template <class M>
concept FeatureSumMetric = MetricOfPoints<M> && requires(const M& m) {
  { m.feature_sum() } -> std::same_as<std::optional<FeatureSum>>;
};

/// Costs that came as a matrix in place of points.
template <class M>
concept GivenCosts = MetricValue<M> && M::points_are_costs;

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
void vjp_features(const Points<T>& x, const Points<T>& z, Tile<T>& gx, Tile<T>& gz, const Slope& slope) {
  for (Index i = 0; i < x.rows(); ++i)
    for (Index j = 0; j < z.rows(); ++j) {
      const Eigen::Array<T, 1, Eigen::Dynamic> g = slope(i, j, (x.row(i) - z.row(j)).array());
      gx.row(i).array() += g;
      gz.row(j).array() -= g;
    }
}
}  // namespace detail

}  // namespace likewise
