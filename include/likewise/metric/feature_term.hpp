#pragma once

namespace likewise {

/// What one feature of a query, u, and of a key, v, takes from a cost: u v; -(u - v)^2; a leaky(u + v) with leaky(s) = s for
/// s > 0, else slope s. All are the same when query and key change places.
enum class FeatureTerm { product, square, leaky_relu };

}  // namespace likewise
