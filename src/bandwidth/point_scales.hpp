// Rules with a length for each point: see likewise/select_bandwidth.hpp for the formulas.
#pragma once

#include <likewise/select_bandwidth.hpp>

namespace likewise::bandwidths {

/// The distance from each query to its n_neighbors-th key, weights counting as copies. `self`: query i is key i and does
/// not count; a new point at distance 0 from a key is taken for that key. 0 is replaced by the smallest positive one (by 1 where there is none).
Vector<double> neighbor_scales(const Metric& metric, const Points<double>& X, const Points<double>& Z,
                               bool self, const BandwidthOptions& options, const Execution& run);

/// The length for each query at which its weights over the keys have entropy log(perplexity).
Vector<double> entropy_scales(const Metric& metric, const Kernel& kernel, const Points<double>& X,
                              const Points<double>& Z, bool self, const BandwidthOptions& options,
                              const Execution& run);

}  // namespace likewise::bandwidths
