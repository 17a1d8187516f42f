// Metric, kernel and pair filters together: tiles of log weights.
#pragma once

#include <memory>

#include <likewise/kernel.hpp>
#include <likewise/metric.hpp>

#include "engine/cost_source.hpp"
#include "engine/log_weights.hpp"
#include "operator/pair_filters.hpp"

namespace likewise {

/// A kernel whose length is a number, with the per-point scales of a self-tuning rule: the kernel sees
/// (d - row_offset_i)+^2 / (row_scale_i key_scale_j) at length `scale`. Offsets are known to lists of edges alone.
struct ResolvedKernel {
  Kernel kernel;
  double scale = 1;                ///< bandwidth or temperature
  Vector<double> row_scale = {};   ///< empty: 1
  Vector<double> key_scale = {};   ///< empty: 1
  Vector<double> row_offset = {};  ///< empty: 0
};

/// The unit of the costs that a kernel reads.
engine::CostUnit unit_of(KernelInput input);

/// log phi(c) of a tile or of single pairs, costs converted to what the kernel reads. Refuses a kernel of a
/// distance with a metric that has none. Keys whose log weight was -inf when they were prepared may lie anywhere.
template <class T>
std::shared_ptr<const engine::LogWeights<T>> make_tile_weights(const ResolvedKernel& kernel,
                                                               const PairFilters& filters,
                                                               const engine::SharedPoints<T>& X,
                                                               const engine::SharedKeys<T>& keys);
/// The same with copies of the points.
template <class T>
std::shared_ptr<const engine::LogWeights<T>> make_tile_weights(const Metric& metric,
                                                               const ResolvedKernel& kernel,
                                                               const PairFilters& filters, const Points<T>& X,
                                                               const Points<T>& Z,
                                                               const Vector<double>& log_weights = {}) {
  const auto [queries, keys] = engine::shared_copies<T>(X, Z);
  return make_tile_weights<T>(kernel, filters, queries,
                              std::make_shared<const engine::PreparedPoints<T>>(metric, keys, log_weights));
}

/// Turns the costs of listed pairs (the stored entries, as the metric defines them) into log phi, in place.
void costs_to_log_weights(const MetricTraits& laws, const ResolvedKernel& kernel, SparseMatrix<double>& edges,
                          const Execution& run);

}  // namespace likewise
