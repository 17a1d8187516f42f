// Rows that attend to labeled rows: kernel regression whose metric is learned, with several heads.
#pragma once

#include <vector>

#include <likewise/mechanism.hpp>

namespace likewise::nn {

/// F_i = 1/H sum_h sum_j P_h[i, j] y_j,  P_h = softmax over the labeled rows z_j of -c_h(x_i, z_j) / t_h, with a
/// pseudo-metric c_h = |W_h W_e (x - z)|^2 (Ruan and Zhang 2024), or c_h = -<Wq_h W_e x, Wk_h W_e z> (Vaswani et al.
/// 2017): the mean of H kernel regressions (Nadaraya 1964, Watson 1964). Labels are values only.
struct InContextModel {
  Matrix<double> embedding;        ///< W_e (embed_dim, n_features)
  Matrix<double> query_maps;       ///< W_h or Wq_h, (num_heads rank, embed_dim): a head's rows together
  Matrix<double> key_maps = {};    ///< Wk_h, of the same shape; empty: one map serves both, a pseudo-metric
  Vector<double> log_temperature;  ///< log t_h (num_heads,)
  Matrix<double> context = {};     ///< z (n_context, n_features)
  Matrix<double> values = {};      ///< y (n_context, n_outputs): 0 and 1 for classes, or targets

  Index num_heads() const { return log_temperature.size(); }
  Index rank() const { return query_maps.rows() / num_heads(); }
  bool tied() const { return key_maps.size() == 0; }

  /// Who each head attends to, on the features: Mahalanobis(W_h W_e) or Bilinear(Wq_h W_e, Wk_h W_e) under
  /// Exponential(t_h); an empty row is its nearest key's. O(num_heads rank embed_dim n_features). Needs no labeled
  /// rows. Throws InvalidArgument naming the member whose shape does not fit.
  std::vector<Mechanism> mechanisms() const;

  /// F (n, n_outputs) of rows X (n, n_features), streamed: O(num_heads n n_context (rank + n_outputs)) time, O(n +
  /// n_context) memory. The same for any number of threads. Throws InvalidArgument naming what does not fit: a
  /// member, X's columns, numbers that are not finite.
  Matrix<double> outputs(const Points<double>& X, const Execution& run = {}) const;
};

/// Throws InvalidArgument naming the member that does not fit the others.
void validate(const InContextModel& model);

}  // namespace likewise::nn
