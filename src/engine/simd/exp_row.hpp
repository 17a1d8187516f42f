// Exponentials of a row of numbers, and their sum.
#pragma once

#include <cstddef>

namespace likewise::engine::simd {

/// x_j becomes exp(x_j - shift), exactly 0 where that is no normal number (-inf included); returns the sum. Relative error
/// of a weight: 4e-16 and that of the difference.
double exp_row(double* x, std::ptrdiff_t n, double shift);

/// weight_j = count_j exp(-rate x_j), with the same zeros; returns their sum. rate x_j is a number or infinite.
double weigh_row(const double* x, const double* count, std::ptrdiff_t n, double rate, double* weight);

}  // namespace likewise::engine::simd
