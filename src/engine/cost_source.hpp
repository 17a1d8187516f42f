// Tiles of costs between queries and keys: the only place that knows whether a metric lifts.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <utility>

#include <likewise/metric.hpp>
#include <likewise/types.hpp>

#include "engine/cost_vjp.hpp"
#include "engine/prepared_points.hpp"
#include "engine/terms/exponents.hpp"
#include "engine/terms/scores.hpp"

namespace likewise::engine {

template <class T>
std::pair<SharedPoints<T>, SharedPoints<T>> shared_copies(const Points<T>& X, const Points<T>& Z) {
  const auto keys = std::make_shared<const Matrix<T>>(Z);
  const bool same = X.data() == Z.data() && X.rows() == Z.rows() && X.outerStride() == Z.outerStride();
  return {same ? keys : std::make_shared<const Matrix<T>>(X), keys};
}

/// What a tile holds. A metric's cost is d^distance_power; the others are derived from it here and nowhere
/// else.
enum class CostUnit { cost, distance, squared_distance, reported };

/// Costs of every query with every key. Immutable, so that threads share it. O((n_queries + n_keys) d)
/// memory.
template <class T> class CostSource {
 public:
  virtual ~CostSource() = default;
  virtual Index rows() const = 0;
  virtual Index cols() const = 0;
  /// out(a, b) = cost of query i0 + a and key j0 + b, in that unit. Never NaN, never negative where the
  /// metric is not.
  virtual void fill(Index i0, Index j0, CostUnit unit, Tile<T> out) const = 0;
  /// One pair by the metric's definition, without the lift's cancellation.
  virtual double pair(Index i, Index j, CostUnit unit) const = 0;
  /// The same of one query and the keys of a list: out(e) is what `pair` says of keys[e].
  virtual void pairs(Index i, std::span<const int> keys, CostUnit unit, double* out) const {
    for (const int j : keys) *out++ = pair(i, j, unit);
  }
  /// A bound on |fill - pair| of query i with any key, in the unit d^lift_power that the lift is exact in; 0
  /// without lift.
  virtual double lift_error(Index i) const = 0;
  /// Of a lift: log K = -scale * cost as the fused loop takes it, where its products stay finite. References this source.
  virtual std::optional<Exponents> exponents(double /*scale*/) const { return {}; }
  /// A new sum of derivatives, nullptr where the metric has none. References this source. `near`: slopes may be so steep that
  /// pairs below `near_share` need x - z itself.
  virtual std::unique_ptr<CostVjp<T>> vjp(bool /*near*/) const { return nullptr; }
  /// What the kernels that are no exponentials of a lift need of the scores. Roots and inverses magnify the rounding of a
  /// small square: `small` asks for its digits. `slope` bounds |d log phi / d score|.
  struct Demand {
    bool small;
    double slope;
  };
  /// The scores as the fused loop finds them; none where only `fill` knows them. References this source.
  virtual std::optional<AnyScores> scores(const Demand&) const { return {}; }
  /// Of a lift: the share of its terms a + b below which scores of that demand are found again by definition.
  virtual double unsure(const Demand&) const { return 0; }
  /// As `fill`, with all scores below that share found by definition: as exact as `scores` are.
  virtual void fill_exactly(Index i0, Index j0, CostUnit unit, double /*unsure*/, Tile<T> out) const {
    fill(i0, j0, unit, out);
  }
};

/// Checks that the widths fit; only the queries are lifted. Where the terms of a lift,
/// a + b + |A||B|, exceed `largest_single` (in the lift's unit) the products run in float64 on float32 points: their
/// rounding is about float32's epsilon times that. Infinity: never.
template <class T>
std::shared_ptr<const CostSource<T>> make_cost_source(const SharedPoints<T>& X, const SharedKeys<T>& keys,
                                                      double largest_single);
/// The same with copies of the points, one where X and Z are the same memory.
template <class T>
std::shared_ptr<const CostSource<T>> make_cost_source(const Metric& metric, const Points<T>& X,
                                                      const Points<T>& Z, double largest_single) {
  const auto [queries, keys] = shared_copies<T>(X, Z);
  return make_cost_source<T>(queries, std::make_shared<const PreparedPoints<T>>(metric, keys),
                             largest_single);
}

/// A cost that is d^from as d^to. Powers 1 and 2; equal powers return the value unchanged.
double convert_power(double cost, int from, int to);
/// The power of d that a source computes in: the lift's, or the cost's.
inline int source_power(const MetricTraits& laws) {
  return laws.lifts() ? laws.lift_power() : laws.distance_power;
}
/// The power of d that a unit means for this metric, or 0 for the cost itself.
int unit_power(const MetricTraits& laws, CostUnit unit);

}  // namespace likewise::engine
