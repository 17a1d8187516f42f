// Eigenpairs of self-operators with a symmetric kernel.
#pragma once

#include <string>
#include <vector>

#include <likewise/operator.hpp>

namespace likewise {

struct SpectrumOptions {
  double tol = 1e-9;    ///< residual of the symmetric form, relative to its largest eigenvalue
  int max_iter = 1000;  ///< restarts or rounds of the iterative solver
  /// "dense" (n small, or k close to n), "lanczos" (Spectra) or "chebyshev" (a filtered block, for large sparse
  /// operators); the report names the one that ran
  std::string solver = "auto";
  bool throw_if_not_converged = false;
};

/// The largest eigenvalues, descending, P v = w v. v are right eigenvectors of P with sum_i pi_i v_i^2 = 1
/// (pi the stationary law summing to 1) for row-stochastic operators, orthonormal for symmetric ones. Vector
/// 0 of a row-stochastic operator is 1 everywhere, also where the graph falls apart and eigenvalue 1 repeats.
/// The entry of largest magnitude of each vector is positive (the first such entry).
template <class T> struct Spectrum {
  Vector<double> values;     ///< (k,)
  Matrix<T> vectors;         ///< (n, k)
  Vector<double> residuals;  ///< (k,) |S u - w u| of the symmetric form's unit vectors
  Index n_components = 1;    ///< connected components of what is stored; 1 where streamed
  IterationReport report;    ///< n_iter restarts or rounds, residual the largest
};

/// Components are split first, so that repeated eigenvalues are never lost; what a Krylov method might still
/// miss is looked for in the deflated operator, and a filtered block is wider than k. k in [1, n]. O(n k) memory and about 10 k products, or O(n^2)
/// and O(n^3) for "dense". Throws InvalidArgument naming the law that P lacks, NotConverged on request.
template <class T>
Spectrum<T> largest_eigenpairs(const SelfOperator<T>& P, Index k, const SpectrumOptions& options = {},
                               const Execution& run = {});

/// Component number of each point in the undirected graph of the non-zeros; numbered by first appearance.
std::vector<Index> connected_components(const SparseMatrix<double>& graph);

}  // namespace likewise
