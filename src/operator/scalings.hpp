// Every normalization is a pair of diagonal scalings computed from sums of rows and columns: log l and log r.
#pragma once

#include <functional>

#include <likewise/execution.hpp>
#include <likewise/normalization.hpp>
#include <likewise/types.hpp>

namespace likewise {

/// bias -> log sum_j K_ij exp(bias_j) of every row i, or log sum_i exp(bias_i) K_ij of every column j: all that a
/// normalization asks of a kernel matrix.
using LogSums = std::function<Vector<double>(const Vector<double>& bias)>;

/// log r of an operator with key weights w; `own_weights` are its rows' log weights, empty for 1. Symmetric, Density and
/// Bistochastic speak of the keys among themselves. `report` says how Sinkhorn ended. What has no mass gets r = 0.
Vector<double> log_right_scaling(const Normalization& normalization, const Vector<double>& log_key_weights,
                                 const Vector<double>& own_weights, const LogSums& log_row_sums,
                                 const LogSums& log_column_sums, double least_tol, IterationReport& report);

/// log l, given r, of the n rows that `log_row_sums` speaks of: of the keys themselves (`own_weights` their log
/// w) or of new points (`own_weights` empty). A row without mass gets l = 0. Unnormalized and Column have l = 1 and do not ask.
Vector<double> log_left_scaling(const Normalization& normalization, Index n, const Vector<double>& log_right,
                                const Vector<double>& log_key_weights, const Vector<double>& own_weights,
                                const LogSums& log_row_sums);

/// log 1/(null_mass + exp(s)) of each row; a row without any mass is switched off.
Vector<double> log_of_reciprocal(const Vector<double>& log_sums, double null_mass);
/// The mass that is added to a row's own.
double null_mass(const Normalization& normalization);

}  // namespace likewise
