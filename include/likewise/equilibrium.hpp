// The fixed point of propagation with clamped or softly held values.
#pragma once

#include <vector>

#include <likewise/operator.hpp>

namespace likewise {

struct EquilibriumOptions {
  std::string solver = "auto";  ///< "cg" (symmetric form), "bicgstab" (directed), "iterate"
  double tol = 1e-8;            ///< relative residual of each column
  int max_iter = 1000;
  bool throw_if_not_converged = false;
};

template <class T> struct Equilibrium {
  Matrix<T> values;
  IterationReport report;       ///< residual: the largest relative residual of a column
  std::vector<bool> unreached;  ///< rows that no clamped row reaches: their values are 0
};

/// Hard clamping: F_i = V_i where clamped, else F = P F, i.e. F_u = (I - P_uu)^-1 P_ul V_l (Zhu, Ghahramani,
/// Lafferty 2003).
template <class T>
Equilibrium<T> clamped_equilibrium(const SelfOperator<T>& P, const Values<T>& V,
                                   const std::vector<bool>& clamped, const EquilibriumOptions& options = {},
                                   const Execution& run = {});

/// Soft clamping: F = alpha P F + (1 - alpha) V, alpha in (0, 1) (Zhou et al. 2004).
template <class T>
Equilibrium<T> soft_equilibrium(const SelfOperator<T>& P, const Values<T>& V, double alpha,
                                const EquilibriumOptions& options = {}, const Execution& run = {});

}  // namespace likewise
