// Entries of a walk's eigenvectors at points of so little measure that unit vectors hold no digits of them.
#pragma once

#include <vector>

#include <likewise/linear_map.hpp>

namespace likewise::spectrum {

/// A product's rounding is divided by w: below this what comes is no better than what is there, and its neighbors' residuals
/// hear of it (6e-9 at w = 1e-10).
constexpr double least_eigenvalue = 1e-8;

/// Puts v_i = sum_j P_ij v_j / w into the rows lost[c] of each column c of V, from the other rows; P's rows sum to 1, each
/// relative to its own mass. What hangs on other lost rows is found by sweeps, and where these do not come to rest (a few lost
/// points that speak mostly to one another) by solving. Columns with |w| < least_eigenvalue stay as they are. Up to about 60 products
/// with V's columns; beside them O(n m) memory and O(m^3) time a column for m rows that sweeps do not find; more than 1024 of them
/// stay 0.
template <class T>
void complete_by_walk(const LinearMap<T>& P, const Vector<double>& values,
                      const std::vector<std::vector<Index>>& lost, Matrix<T>& V, const Execution& run);

}  // namespace likewise::spectrum
