// The distances of all pairs of a few points.
#pragma once

#include <vector>

#include "select_bandwidth/rule.hpp"

namespace likewise::bandwidths {

/// Distances of pairs (i, j), i != j, of at most options.max_points points, each with the product of the two
/// counts; `self` is the sum of the products (i, i). A seeded subsample beyond that. O(max_points^2) memory.
struct Pairs {
  std::vector<Counted> distances;
  double self = 0;
};
Pairs sample_pairs(const RuleInput& request);

}  // namespace likewise::bandwidths
