// Rows that attend to labeled rows: kernel regression whose metric is learned, with several heads.
#pragma once

#include <vector>

#include <likewise/mechanism.hpp>

namespace likewise::nn {

/// F_i = 1/H sum_h sum_j P_h[i, j] y_j,  P_h = softmax over the labeled rows z_j of -c_h(x_i, z_j) / t_h: the mean of H
/// kernel regressions (Nadaraya 1964, Watson 1964). With u = W_h W_e x and v = W_h W_e z, c_h is a pseudo-metric, |u - v|^2 (Kim,
/// Papamakarios and Mnih 2021) or |phi_h(u) - phi_h(v)|^2 with phi_h(u) = u + W2_h tanh(W1_h u + b1_h) + b2_h (Ruan and Zhang
/// 2024), or it is -<Wq_h W_e x, Wk_h W_e z> (Vaswani et al. 2017). Labels are values only.
struct InContextModel {
  Matrix<double> embedding;          ///< W_e (embed_dim, n_features)
  Matrix<double> query_maps;         ///< W_h or Wq_h, (num_heads rank, embed_dim): a head's rows together
  Matrix<double> key_maps = {};      ///< Wk_h, of the same shape; empty: one map serves both, a pseudo-metric
  Vector<double> log_temperature;    ///< log t_h (num_heads,)
  Matrix<double> map_in = {};        ///< W1_h (num_heads map_width, rank); with the next three empty: no phi
  Vector<double> map_in_bias = {};   ///< b1_h (num_heads map_width,)
  Matrix<double> map_out = {};       ///< W2_h (num_heads rank, map_width)
  Vector<double> map_out_bias = {};  ///< b2_h (num_heads rank,)
  Matrix<double> context = {};       ///< z (n_context, n_features)
  Matrix<double> values = {};        ///< y (n_context, n_outputs): 0 and 1 for classes, or targets

  Index num_heads() const { return log_temperature.size(); }
  Index rank() const { return query_maps.rows() / num_heads(); }
  bool tied() const { return key_maps.size() == 0; }
  /// Hidden units of each phi_h; 0: heads compare W_h W_e x as it is.
  Index map_width() const { return map_in.rows() / num_heads(); }

  /// Who each head attends to, on the features: Mahalanobis(W_h W_e), Mapped by phi_h of that, or Bilinear(Wq_h W_e, Wk_h W_e)
  /// under Exponential(t_h); an empty row is its nearest key's. O(num_heads rank (embed_dim + map_width) n_features).
  /// Needs no labeled rows. Throws InvalidArgument naming the member whose shape does not fit.
  std::vector<Mechanism> mechanisms() const;

  /// F (n, n_outputs) of rows X (n, n_features), streamed: O(num_heads n n_context (rank + n_outputs)) time, O(n +
  /// n_context) memory. The same for any number of threads. Throws InvalidArgument naming what does not fit: a
  /// member, X's columns, numbers that are not finite.
  Matrix<double> outputs(const Points<double>& X, const Execution& run = {}) const;
};

/// Throws InvalidArgument naming the member that does not fit the others.
void validate(const InContextModel& model);

}  // namespace likewise::nn
