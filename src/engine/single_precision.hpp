// Where float32 is exact enough for the exponents of a product of lifted points.
#pragma once

namespace likewise::engine {

/// Up to this a/t + b/t + |A||B|/t float32 products serve; beyond, float64. Their error in the exponent is about epsilon
/// times that of the pair, 6e-5 for the outermost pairs at the limit, and half of that was the most seen.
constexpr double largest_single_exponent = 512;

}  // namespace likewise::engine
