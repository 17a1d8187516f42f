// A modern Hopfield network: patterns stored as keys and values, retrieved by repeated steps.
#pragma once

#include <vector>

#include <likewise/mechanism.hpp>

namespace likewise {

struct HopfieldOptions {
  Metric metric = DotProduct{};
  double temperature = 1;  ///< 1/beta of Ramsauer et al. 2020, in the unit of the cost
  int max_iter = 20;
  double tol = 1e-4;  ///< a query has arrived when an update moves it at most tol times the longest pattern
};

template <class T> struct Retrieval {
  Matrix<T> states;         ///< (n_queries, d)
  Matrix<double> energies;  ///< (n_iter + 1, n_queries) before and after each step; empty without energy
  IterationReport report;   ///< residual: the farthest last move relative to the longest pattern
};

template <class T> struct HopfieldMemory {
  KeyedMechanism<T>
      keyed;  ///< metric, Exponential(temperature), all pairs, row-stochastic; keys: patterns (n, d)
  int max_iter = 20;
  double tol = 1e-4;

  /// Up to max_iter updates q <- softmax(q X^T / t) X. O(n_queries n d) time each.
  Retrieval<T> retrieve(const Points<T>& queries, const Execution& run = {}) const;
  /// Never rises along updates (Ramsauer et al. 2020, eq. 2 and theorem 1):
  ///     E(q) = -t log sum_j exp(<q, x_j>/t) + |q|^2/2 + t log n + max_j |x_j|^2/2   for DotProduct
  ///     E(q) = -t log sum_j exp(-|q - x_j|^2/t) + t log n                           for SquaredEuclidean
  /// Other metrics have none and are refused.
  Vector<double> energy(const Points<T>& queries, const Execution& run = {}) const;
  bool has_energy() const;
};

template <class T>
HopfieldMemory<T> fit_hopfield_memory(const Points<T>& patterns, const HopfieldOptions& options);

/// patterns: (n, d).
template <class D>
HopfieldMemory<ScalarOf<D>> hopfield_memory(const Eigen::MatrixBase<D>& patterns,
                                            const HopfieldOptions& options = {}) {
  return fit_hopfield_memory<ScalarOf<D>>(patterns.derived(), options);
}

}  // namespace likewise
