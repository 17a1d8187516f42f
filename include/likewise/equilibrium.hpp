// The fixed point of propagation with clamped or softly held values.
#pragma once

#include <string>
#include <vector>

#include <likewise/operator.hpp>

namespace likewise {

struct EquilibriumOptions {
  /// "cg" (symmetric kernels: conjugate gradients in the inner product in which P is self-adjoint),
  /// "bicgstab" (any operator), "direct" (a factorization of a stored operator), "iterate" (F <- P F); "auto"
  /// takes "cg" where the kernel is symmetric, else "iterate" under soft clamping with alpha <= 0.5 and "bicgstab"
  /// beyond, and falls back to "direct" where that does not converge.
  std::string solver = "auto";
  double tol = 1e-8;    ///< relative residual of each column, not below 100 roundings of T
  int max_iter = 1000;  ///< steps of an iterative solver
  bool throw_if_not_converged = false;
};

template <class T> struct SteadyValues {
  Matrix<T> values;        ///< (n, c)
  IterationReport report;  ///< residual: the largest relative residual of a column, recomputed at the end
  std::vector<bool> unreached;  ///< (n,) rows that no held value reaches: their values are 0
};

/// Hard clamping: F_i = V_i where clamped, else F = P F, i.e. F_u = (I - P_uu)^-1 P_ul V_l (Zhu, Ghahramani,
/// Lafferty 2003). Rows of V that are not clamped are not looked at. A few products with P for each step.
template <class T>
SteadyValues<T> clamped_equilibrium(const SelfOperator<T>& P, const Values<T>& V,
                                    const std::vector<bool>& clamped, const EquilibriumOptions& options = {},
                                    const Execution& run = {});

/// Soft clamping: F = alpha P F + (1 - alpha) V, alpha in (0, 1) (Zhou et al. 2004). "iterate" starts from F
/// = V.
template <class T>
SteadyValues<T> soft_equilibrium(const SelfOperator<T>& P, const Values<T>& V, double alpha,
                                 const EquilibriumOptions& options = {}, const Execution& run = {});

/// Rows from which no row of `held` can be reached along non-zero entries of P. A graph search where P is
/// stored, O(entries); else products with one column, as many as the longest way has steps.
template <class T>
std::vector<bool> unreached_rows(const SelfOperator<T>& P, const std::vector<bool>& held,
                                 const Execution& run = {});

}  // namespace likewise
