// The bandwidth that a mechanism has among its keys.
#pragma once

#include <likewise/select_bandwidth.hpp>

namespace likewise {

/// How many others are a point's neighbors, as the rule "umap" asks; refuses other mechanisms than Laplacian on Neighbors.
Index neighbors_of(const Mechanism& mechanism);

/// The kernel's number, or what its rule ("median" where it is open) finds. Checks the mechanism; where there is something to find
/// among them, the points and their weights too.
template <class T>
SelectedBandwidth bandwidth_among(const Mechanism& mechanism, const Points<T>& Z,
                                  const Vector<double>& log_key_weights, const Execution& run);

}  // namespace likewise
