// Distances among points as the bandwidth rules look at them: a seeded subsample, and whole rows at a time.
#pragma once

#include <functional>
#include <vector>

#include <likewise/select_bandwidth.hpp>

#include "engine/cost_source.hpp"

namespace likewise::bandwidths {

/// At most `most` of the points, drawn with the seed, in their order; of precomputed costs rows and columns.
struct Sample {
  Matrix<double> points;
  Vector<double> weights;  ///< exp(log w), the largest 1
};
Sample sample_points(const Metric& metric, const Points<double>& Z, const BandwidthOptions& options,
                     Index most);

/// exp(log w) scaled so that the largest is 1; ones where none are given.
Vector<double> relative_weights(const Vector<double>& log_weights, Index n);

/// Every pair of different places i < j of a sample: distance d > 0 and w_i w_j; and what the pairs at distance 0 (each
/// point with itself and its copies) weigh. Copies and weights so come to the same.
struct Pairs {
  Vector<double> distances, weights;
  double weight_at_zero = 0;
};
Pairs pairs_of(const Metric& metric, const Sample& sample, const Execution& run);

/// Calls visit(i0, rows) for blocks of rows of the n_queries x n_keys matrix of costs in `unit`, from several threads.
/// Blocks are small enough that memory stays O(n_keys) a thread.
void for_each_row_block(const engine::CostSource<double>& costs, engine::CostUnit unit, const Execution& run,
                        const std::function<void(Index, Matrix<double>&)>& visit);

}  // namespace likewise::bandwidths
