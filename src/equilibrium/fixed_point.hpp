// The linear system behind both kinds of clamping.
#pragma once

#include <likewise/equilibrium.hpp>

#include "linear_solvers/columns.hpp"

namespace likewise::equilibrium {

using solvers::column_norms;
using solvers::Columns;

/// x = strength M P M x + b on the free rows (M their projection), and x = 0 on the others.
template <class T> struct FixedPoint {
  const SelfOperator<T>& P;
  Vector<T> free;       ///< (n,) 1 where a row is unknown, else 0
  double strength = 1;  ///< alpha of soft clamping
  Matrix<T> b;          ///< (n, c), 0 on rows that are not free
  Matrix<T> start;      ///< (n, c) what "iterate" begins with
  /// The last column of b is what clamped ones give, and its solution is known: 1 on every free row.
  bool last_column_is_one = false;
  double tol = 0;

  Matrix<T> propagate(const Matrix<T>& x, const Execution& run) const {
    return static_cast<T>(strength) * (free.asDiagonal() * P.apply(x, run));
  }
  Matrix<T> residual(const Matrix<T>& x, const Execution& run) const { return b + propagate(x, run) - x; }

  /// The largest relative residual of a column.
  double relative(const Columns& residual_norms) const {
    return relative(residual_norms, column_norms<T>(b));
  }
  double relative(const Columns& residual_norms, const Columns& scale) const {
    if (b.cols() == 0) return 0;
    return (scale.array() > 0)
        .select(residual_norms.array() / scale.array(), residual_norms.array())
        .maxCoeff();
  }
  /// Small residuals can hide large errors where points hardly speak to each other; the column of ones shows
  /// them.
  bool solved(const Matrix<T>& x, double relative_residual) const {
    if (!(relative_residual <= tol)) return false;
    constexpr double error_allowed = 1e-4;
    return !last_column_is_one
           || ((x.col(x.cols() - 1) - free).array().abs() <= static_cast<T>(error_allowed)).all();
  }
};

template <class T> struct Solution {
  Matrix<T> x;
  IterationReport report;
};

/// Conjugate gradients in the inner product sum_i pi_i x_i y_i in which P is self-adjoint. `pi` is the stationary law up to
/// a factor.
template <class T>
Solution<T> conjugate_gradients(const FixedPoint<T>& problem, const Vector<double>& pi, int max_iter,
                                const Execution& run);

/// van der Vorst 1992 (Eigen's), a column after the other: for operators that are not symmetric.
template <class T> Solution<T> bicgstab(const FixedPoint<T>& problem, int max_iter, const Execution& run);

/// x <- strength M P M x + b, the plain iteration.
template <class T> Solution<T> iterate(const FixedPoint<T>& problem, int max_iter, const Execution& run);

/// The operator is stored and small enough to factorize.
template <class T> bool can_factorize(const SelfOperator<T>& P);
/// Elimination: of a row-stochastic operator without a subtraction (Grassmann, Taksar and Heyman 1985), so
/// that every entry is right however weak the links; else LU.
template <class T> Solution<T> factorize(const FixedPoint<T>& problem, const Execution& run);

}  // namespace likewise::equilibrium
