// Training points by the place they are at, and what stays at a place when one point is left out.
#pragma once

#include <vector>

#include <likewise/types.hpp>

namespace likewise::bandwidths {

/// A number for each point, equal exactly for points that are equal in every feature, in the order of first appearance;
/// -1 for a point of weight 0. O(n log n d) time.
template <class T> std::vector<Index> place_of_points(const Points<T>& Z, const Vector<double>& log_weights);

/// log of what is left of a weight w when the point is left out once: log(w - min(1, w)), -inf where nothing is.
double log_rest_of(double log_weight);

/// A point that is left out, and what its own place still says: the other points there and the rest of its own weight.
struct Member {
  Index point;
  double log_rest;               ///< log of that weight; -inf where the place is silent
  Eigen::RowVectorXd rest = {};  ///< the mean target of that weight; empty where there is none
};

/// Keys that are met once for all of their copies: a place has the sum of the weights and the mean of the targets.
struct Places {
  Matrix<double> points;        ///< (m, d)
  Matrix<double> targets;       ///< (m, c)
  Vector<double> log_counts;    ///< (m,) log of the weight of each place
  std::vector<Member> members;  ///< place by place
  std::vector<Index> ends;      ///< (m + 1,): the members of place p are [ends[p], ends[p + 1])

  /// Some place still speaks when one of its points is left out.
  bool any_rest() const;
};

/// One place for all copies of a point; points of weight 0 have none.
Places joined(const Points<double>& Z, const Values<double>& Y, const Vector<double>& log_weights);
/// A place for each point, where indices of points matter.
Places apart(const Points<double>& Z, const Values<double>& Y, const Vector<double>& log_weights);

}  // namespace likewise::bandwidths
