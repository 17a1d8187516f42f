// What a metric makes of keys before any query: their center, their lifts and the bounds of these.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <type_traits>
#include <utility>

#include <likewise/metric.hpp>
#include <likewise/types.hpp>

#include "engine/terms/lifted_points.hpp"

namespace likewise::engine {

/// Bounds of a lift's keys, which the rounding of products with them depends on.
template <class C> struct LargestTerms {
  C norm = 0, bias = 0;  ///< of features; of a bias' magnitude
};

/// Keys as a metric's lift has them, in the precision C.
template <class C> struct LiftedKeys {
  LiftedPoints<C> lift;
  LargestTerms<C> largest;
};

/// Points less a center, which may be empty.
template <class T, class C> Matrix<C> centered(const Points<T>& points, const Vector<double>& center) {
  if (center.size() == 0) return points.template cast<C>();
  return (points.template cast<double>().rowwise() - center.transpose()).template cast<C>();
}

/// The length of the longest point, from the center where there is one.
template <class T> double largest_norm(const Points<T>& points, const Vector<double>& center) {
  double largest = 0;
  for (Index i = 0; i < points.rows(); ++i)
    largest =
        std::max(largest, center.size() ? (points.row(i).template cast<double>() - center.transpose()).norm()
                                        : points.row(i).template cast<double>().norm());
  return largest;
}

/// lift(points less the center), without a copy of points that are that already: the only place where points are lifted
/// whole.
template <class T, class C, class M, class Use>
LiftedPoints<C> lifted_at(const M&, const SharedPoints<T>& points, const Vector<double>& center,
                          const Use& lift) {
  const auto held = [](Lift<C> made) -> LiftedPoints<C> {
    return {std::make_shared<const Matrix<C>>(std::move(made.features)), std::move(made.bias)};
  };
  if constexpr (std::is_same_v<T, C>) {
    if (IdentityLift<M>) return {points, Vector<C>::Zero(points->rows())};
    if (center.size() == 0) return held(lift(*points));
  }
  return held(lift(centered<T, C>(*points, center)));
}

/// Immutable to those who look: what costs time is made when it is first wanted, once, whichever thread asks.
template <class T> class PreparedPoints {
 public:
  /// Shift-invariant lifts are taken from the center of the points whose log weight, where such are given, is above -inf.
  PreparedPoints(const Metric& metric, SharedPoints<T> points, const Vector<double>& log_weights = {});
  /// Looks at the caller's points, which must outlive it; they have no whole lifts.
  PreparedPoints(const Metric& metric, const Points<T>& points);

  const Metric& metric() const { return metric_; }
  const Points<T>& points() const { return points_; }
  /// Nothing where they are the caller's.
  const SharedPoints<T>& shared() const { return shared_; }
  /// Empty where the metric's lift is not centered.
  const Vector<double>& center() const { return center_; }
  double largest_coordinate() const;
  /// The length of the longest point, from the center where there is one.
  double largest_norm() const;

  /// The same points in float64 with the same center, while somebody holds them: they take twice the memory.
  std::shared_ptr<const PreparedPoints<double>> widened() const;

  /// Of a metric that lifts. Kept while it takes no more memory than the points, or little; else as long as somebody
  /// holds it.
  template <class C> std::shared_ptr<const LiftedKeys<C>> lifted() const;
  /// The bounds of that lift, which stay known when it is forgotten.
  template <class C> LargestTerms<C> largest() const;
  /// Lets go of a lift that was found to be too coarse.
  template <class C> void forget() const;
  /// What is held beyond the points, in bytes.
  std::size_t bytes() const;

 private:
  template <class C> struct Slot {
    std::mutex lock;
    std::shared_ptr<const LiftedKeys<C>> kept;
    std::weak_ptr<const LiftedKeys<C>> in_use;
    std::optional<LargestTerms<C>> largest;
  };
  template <class C> Slot<C>& slot() const {
    if constexpr (std::is_same_v<C, float>)
      return single_;
    else
      return precise_;
  }
  template <class C> LiftedKeys<C> lift() const;
  template <class C> bool worth_keeping(const LiftedKeys<C>& made) const;

  template <class Other> friend class PreparedPoints;
  Metric metric_;
  SharedPoints<T> shared_;
  Points<T> points_;
  Vector<double> center_;
  mutable Slot<float> single_;
  mutable Slot<double> precise_;
  mutable std::mutex sizes_lock_, widened_lock_;
  mutable std::optional<double> largest_coordinate_, largest_norm_;
  mutable std::weak_ptr<const PreparedPoints<double>> widened_;
};

template <class T> using SharedKeys = std::shared_ptr<const PreparedPoints<T>>;

}  // namespace likewise::engine
