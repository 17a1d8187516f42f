// The k-d tree for metrics that are sums over coordinates, good in few dimensions. Only kd_tree.cpp sees
// nanoflann.
#pragma once

#include <memory>

#include "neighbors/candidates.hpp"

namespace likewise::neighbors {

/// Points in which a metric's distance is d = (sum_k |x_k - z_k|^power)^(1/power).
struct CoordinateSum {
  Matrix<double> queries, keys;
  double power = 2;
  double rounding = 0;  ///< absolute error of the sum from making the points (the projection of Mahalanobis)
};

/// Whether the metric is such a sum with power >= 1, so that a tree over coordinates applies.
bool sums_over_coordinates(const Metric& metric);
/// The number of coordinates of that sum for points of `width` features.
Index coordinates_of(const Metric& metric, Index width);
CoordinateSum coordinate_sum(const Metric& metric, const Points<double>& X, const Points<double>& Z);

/// A tree over the keys: O(n_keys log n_keys) to build, O(n_keys) memory. Immutable, so that threads share
/// it.
class KdTree {
 public:
  virtual ~KdTree() = default;
  /// Offers the key sums near query i, in the order of the tree, until none can be below row.threshold().
  virtual void search(Index i, NearestCandidates& row) const = 0;
  virtual void search(Index i, RadiusCandidates& row) const = 0;
  /// A sum's error.
  virtual CostError error() const = 0;
  /// The sum of points at that Euclidean, Manhattan or Minkowski distance.
  virtual double sum_of(double distance) const = 0;
};

std::unique_ptr<const KdTree> make_kd_tree(CoordinateSum space);

}  // namespace likewise::neighbors
