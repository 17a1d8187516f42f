// Gradients through what is done with an operator: powers, equilibria and spectra.
//
// Each turns dL/d(result) into what `vjp` gives: dL/d(everything that makes P). For a linear step dL/dP is a sum of outer
// products of columns, and one vjp takes them all; each function only finds the columns. The fixed points and eigenvectors
// are never unrolled. Membership in a support and points' own scales are held constant, as in `vjp`.
#pragma once

#include <vector>

#include <likewise/gradient.hpp>

namespace likewise {

/// Of Y = P^t V, t >= 0: V_s = P^s V, G_t = dL/dY, G_s = P^T G_{s+1}: dL/dP = sum_s G_{s+1} V_s^T, dL/dV = G_0. 2 t products
/// and one vjp with t c columns.
template <class T>
OperatorGradient<T> power_vjp(const SelfOperator<T>& P, Index t, const Values<T>& grad_Y, const Values<T>& V,
                              const Execution& run = {});

/// A gradient that needed systems to be solved. report: the largest relative residual of a column, measured at the end, and
/// all steps.
template <class T> struct ImplicitGradient {
  OperatorGradient<T> gradient;
  IterationReport report;
  bool singular =
      false;  ///< links below rounding left a singular system: its shortest least-squares solution was taken
};

struct ImplicitOptions {
  double tol = 1e-10;            ///< relative residual of the transposed system
  int max_iter = 1000;           ///< steps for it
  Index eliminate_up_to = 1000;  ///< rows of a system without a symmetric form that is eliminated, else GMRES
};

/// Of F = alpha P F + (1 - alpha) V, given F: (I - alpha P^T) m = dL/dF, dL/dP = alpha m F^T, dL/dV = (1 - alpha) m. On
/// symmetric kernels conjugate gradients solve the symmetric form, all columns together.
template <class T>
ImplicitGradient<T> soft_equilibrium_vjp(const SelfOperator<T>& P, const Values<T>& grad_F,
                                         const Values<T>& F, double alpha,
                                         const ImplicitOptions& options = {}, const Execution& run = {});

/// Of F = V where clamped, else P F, given F and who is unreached: m = 0 where clamped or unreached, else (I - P_uu^T) m_u =
/// (dL/dF)_u; dL/dP = m F^T, dL/dV = dL/dF + P^T m where clamped, else 0. As above.
template <class T>
ImplicitGradient<T> clamped_equilibrium_vjp(const SelfOperator<T>& P, const Values<T>& grad_F,
                                            const Values<T>& F, const std::vector<bool>& clamped,
                                            const std::vector<bool>& unreached,
                                            const ImplicitOptions& options = {}, const Execution& run = {});

struct EigenGradientOptions {
  double min_gap = 1e-6;  ///< eigenvalues that are closer, relative to the largest, coincide
  int max_iter = 5000;    ///< steps of MINRES for each vector
};

/// Of w (k,), v (n, k) as `largest_eigenpairs` gives them, where the eigenvalues that have a gradient are simple. With
/// S = D P D^-1 symmetric, D^2 = pi and y_k = pi v_k, the left eigenvectors (Magnus 1985):
///
///     dw_k = <y_k, dP v_k>
///     dv_k = sum_{m != k} v_m <y_m, dP v_k> / (w_k - w_m) - v_k <dpi, v_k^2> / 2
///
/// The last term keeps sum_i pi_i v_ik^2 = 1 as the stationary law moves; orthonormal vectors have none. Two systems with
/// w_k I - S for each vector with a gradient, the computed vectors taken out, and one vjp with up to 2 k columns; each gap
/// divides rounding. The next eigenvalue is computed, for its gap to the last one. No gradient of values. Throws
/// InvalidArgument where eigenvalues coincide, under a null mass (no vectors), without a symmetric form.
template <class T>
ImplicitGradient<T> eigen_vjp(const SelfOperator<T>& P, const Vector<double>& w, const Matrix<double>& v,
                              const Vector<double>& grad_w, const Matrix<double>& grad_v,
                              const EigenGradientOptions& options = {}, const Execution& run = {});

}  // namespace likewise
