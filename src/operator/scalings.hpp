// Every normalization is a pair of diagonal scalings computed from row sums: log l and log r.
#pragma once

#include <functional>

#include <likewise/execution.hpp>
#include <likewise/normalization.hpp>
#include <likewise/types.hpp>

namespace likewise {

/// bias_j -> log sum_j K_ij exp(bias_j) for every row i; the one thing a normalization asks of a kernel
/// matrix.
using LogRowSums = std::function<Vector<double>(const Vector<double>& key_bias)>;

/// log r of a self-operator with key weights w. `report` says how Sinkhorn ended. A row without mass gets r =
/// 0.
Vector<double> log_right_scaling(const Normalization& normalization, const Vector<double>& log_key_weights,
                                 const LogRowSums& log_row_sums, double least_tol, IterationReport& report);

/// log l, given r, of the n rows that `log_row_sums` speaks of: of the keys themselves (`own_weights` their log
/// w) or of new points (`own_weights` empty). A row without mass gets l = 0. Unnormalized has l = 1 and does not ask.
Vector<double> log_left_scaling(const Normalization& normalization, Index n, const Vector<double>& log_right,
                                const Vector<double>& log_key_weights, const Vector<double>& own_weights,
                                const LogRowSums& log_row_sums);

/// log 1/(null_mass + exp(s)) of each row; a row without any mass is switched off.
Vector<double> log_of_reciprocal(const Vector<double>& log_sums, double null_mass);
/// l divides each row by its own mass (plus null_mass), so that a product need not know l beforehand.
bool divides_by_row_mass(const Normalization& normalization);
/// The mass that is added to a row's own.
double null_mass(const Normalization& normalization);
/// r needs nothing but the key weights.
bool right_is_key_weight(const Normalization& normalization);

}  // namespace likewise
