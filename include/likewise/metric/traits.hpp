// What a metric is: a cost c(x, z), lower is closer, and the laws it declares.
#pragma once

#include <concepts>

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

/// Any other cost: fills a tile, called once a tile, never once a pair.
template <class M>
concept TileMetric = SlotValue<M> && requires(const M& m, Points<double> x, Tile<double> out) {
  { m.traits() } -> std::same_as<MetricTraits>;
  m.fill(x, x, out);
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
}  // namespace detail

}  // namespace likewise
