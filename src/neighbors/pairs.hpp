// A metric on its points, pair by pair: what the finds of every bounded search are judged by, and the lifts they use.
#pragma once

#include <memory>

#include <likewise/execution.hpp>
#include <likewise/metric.hpp>
#include <likewise/types.hpp>

#include "engine/prepared_points.hpp"

namespace likewise::neighbors {

/// Reads the points that it was made of: they must outlive it.
class Pairs {
 public:
  virtual ~Pairs() = default;
  virtual Index n_queries() const = 0;
  virtual Index n_keys() const = 0;
  /// The distances of query i to n keys by the metric's definition, in float64, as kneighbors reports them.
  virtual void distances(Index i, const Index* keys, Index n, double* out) const = 0;
};

/// Pairs of a metric that lifts: d^lift_power = a_i + b_j - <A_i, B_j>.
class LiftedPairs : public Pairs {
 public:
  /// Rows first, first + 1, ... or, where `rows` is given, those; shift-invariant metrics are centered.
  virtual Lift<double> lift_queries(Index first, Index n, const Index* rows = nullptr) const = 0;
  virtual Lift<double> lift_keys(Index first, Index n, const Index* rows = nullptr) const = 0;
  /// Absolute error that projections in the lift add to a pair, in the lift's unit.
  virtual double projection_error() const = 0;
};

/// Of a metric that lifts.
template <class T>
std::unique_ptr<const LiftedPairs> make_lifted_pairs(const Points<T>& X,
                                                     const engine::PreparedPoints<T>& keys);
/// For any metric but Precomputed; by lifts or tiles of one pair.
template <class T>
std::unique_ptr<const Pairs> make_pairs(const Points<T>& X, const engine::SharedKeys<T>& keys);

}  // namespace likewise::neighbors
