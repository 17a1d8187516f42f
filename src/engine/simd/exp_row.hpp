// Exponentials of a row of numbers, and their sum.
#pragma once

#include <cstddef>

namespace likewise::engine::simd {

/// x_j becomes exp(x_j - shift), exactly 0 where that is no normal number (-inf included); returns the sum.
/// Relative error of a weight: 4e-16 and that of the difference.
double exp_row(double* x, std::ptrdiff_t n, double shift);

/// power_j = exp(-rate x_j), with the same zeros, and weight_j = count_j power_j; returns the sum of weights.
/// rate x_j is a number or infinite.
double weigh_row(const double* x, const double* count, std::ptrdiff_t n, double rate, double* power,
                 double* weight);

/// The same at twice the rate: each power becomes its square. Relative errors double.
double square_row(double* power, const double* count, std::ptrdiff_t n, double* weight);

/// sum_j a_j b_j.
double dot_rows(const double* a, const double* b, std::ptrdiff_t n);

}  // namespace likewise::engine::simd
