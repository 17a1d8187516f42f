// Eigenpairs of self-operators with a symmetric kernel.
#pragma once

#include <string>
#include <vector>

#include <likewise/operator.hpp>

namespace likewise {

struct SpectrumOptions {
  double tol = 1e-9;    ///< residual of the symmetric form, relative to its largest eigenvalue
  int max_iter = 1000;  ///< restarts or rounds of the iterative solver
  /// "dense" (the whole matrix: n small, or k close to n), "shift_invert" (Lanczos in the inverse of a factorized shift I - S:
  /// graphs with little fill, such as lines, rings, trees and surfaces), "chebyshev" (a filtered block: other large
  /// sparse operators) or "lanczos" (operators that are not sparse). "auto" goes on to the next one where an answer
  /// cannot be certified; a named one has the last word. The report names the one that gave the answer.
  std::string solver = "auto";
  bool throw_if_not_converged = false;
};

/// How a spectrum was found: n_iter restarts or rounds, residual the largest. Every pair's residual is measured before it
/// leaves, and the eigenvalues above the least pair are counted.
struct SpectrumReport : IterationReport {
  /// By what they are counted (of several components the weakest), the strongest first:
  ///   "whole matrix"  all eigenpairs were computed
  ///   "norm"          nothing can lie above: the pairs are at the largest row sum, or at eigenvalue 1 of a walk
  ///   "trace"         the squared eigenvalues sum to |S|_F^2, which leaves too little for a larger one
  ///   "inertia"       a factorization of mu I - S has as many negative pivots as there are pairs above mu (Sylvester)
  ///   "probe"         fresh random columns, filtered, hold nothing larger; wrong with probability 1e-6 for what lies
  ///                   clearly above the least pair
  ///   ""              none of them: converged is false
  std::string certificate = {};

  bool operator==(const SpectrumReport&) const = default;
};

/// The largest eigenvalues, descending, P v = w v. v are right eigenvectors of P with sum_i pi_i v_i^2 = 1
/// (pi the stationary law summing to 1) for row-stochastic operators, orthonormal for symmetric ones; vectors of eigenvalue 0
/// on points of no mass have unit length. Vector
/// 0 of a row-stochastic operator is 1 everywhere, also where the graph falls apart and eigenvalue 1 repeats.
/// The entry of largest magnitude of each vector is positive (the first such entry).
template <class T> struct Eigenpairs {
  Vector<double> values;  ///< (k,)
  Matrix<T> vectors;      ///< (n, k)
  /// (n, k) right eigenvectors of the random walk behind a `Symmetric` operator, u_i / sqrt(D_i), D its row sums; empty under
  /// other normalizations, where `vectors` are the walk's. A point of hardly any measure is where its neighbors are.
  Matrix<T> walk_vectors = {};
  Vector<double> residuals;  ///< (k,) |S u - w u| of the symmetric form's unit vectors
  Index n_components = 1;    ///< connected components of what is stored; 1 where streamed
  SpectrumReport report;
};

/// Components are split first; what a solver missed shows in the count, and is looked for outside of what was found.
/// Eigenvectors of eigenvalues closer than tol are any basis of their space. k in [1, n]. O(n k) memory and about 10 k
/// products, a sparse factorization, or O(n^2) and O(n^3) for "dense". Throws InvalidArgument naming the law that P lacks,
/// NotConverged on request.
template <class T>
Eigenpairs<T> largest_eigenpairs(const SelfOperator<T>& P, Index k, const SpectrumOptions& options = {},
                                 const Execution& run = {});

/// Component number of each point in the undirected graph of the non-zeros; numbered by first appearance.
std::vector<Index> connected_components(const SparseMatrix<double>& graph);

}  // namespace likewise
