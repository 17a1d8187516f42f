// Eigenpairs of self-operators with a symmetric kernel.
#pragma once

#include <cstdint>

#include <likewise/operator.hpp>

namespace likewise {

struct SpectrumOptions {
  double tol = 1e-9;            ///< relative residual of the symmetric form
  int max_iter = 1000;          ///< restarts of the iterative solver
  std::string solver = "auto";  ///< "dense" (n small), "lanczos" (Spectra)
  bool throw_if_not_converged = false;
};

/// The largest eigenvalues, descending, P v = w v. v are right eigenvectors of P with sum_i pi_i v_i^2 = 1
/// (pi the stationary law summing to 1) for row-stochastic operators, orthonormal for symmetric ones. The
/// entry of largest magnitude of each vector is positive (the first such entry).
template <class T> struct Spectrum {
  Vector<double> values;     ///< (k,)
  Matrix<T> vectors;         ///< (n, k)
  Vector<double> residuals;  ///< (k,) |S u - w u| of the symmetric form
  Index n_components = 1;    ///< connected components of the support
  IterationReport report;
};

/// Components are split first, so that repeated eigenvalues are never lost; what a Krylov method might still
/// miss is looked for in the deflated operator. k in [1, n]. Throws InvalidArgument naming the law that P
/// lacks.
template <class T>
Spectrum<T> largest_eigenpairs(const SelfOperator<T>& P, Index k, const SpectrumOptions& options = {},
                               const Execution& run = {});

/// Component number of each point in the undirected graph of the non-zeros; numbered by first appearance.
std::vector<Index> connected_components(const SparseMatrix<double>& graph);

}  // namespace likewise
