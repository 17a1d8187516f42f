#include <limits>

#include <Eigen/LU>
#include <Eigen/SparseLU>

#include "equilibrium/fixed_point.hpp"
#include "operator/scalings.hpp"
#include "operator/state.hpp"

namespace likewise::equilibrium {
namespace {

constexpr Index eliminate_up_to = 2048;  // unknowns: 32 MB

/// Solves x = Q x + r, Q >= 0 with row sums 1 - out, by eliminating one state after the other from the last.
/// A state's probability to leave is summed from what it leaves to, never taken from 1: no digit is lost.
/// Self-loops (the diagonal) drop out.
Matrix<double> eliminate(Matrix<double> Q, Vector<double> out, Matrix<double> r) {
  Vector<double> leaves(Q.rows());
  for (Index k = Q.rows() - 1; k >= 0; --k) {
    leaves(k) = Q.row(k).head(k).sum() + out(k);
    const Vector<double> passes = Q.col(k).head(k) / leaves(k);
    Q.topLeftCorner(k, k).noalias() += passes * Q.row(k).head(k);
    out.head(k) += passes * out(k);
    r.topRows(k).noalias() += passes * r.row(k);
  }
  for (Index k = 0; k < Q.rows(); ++k)
    r.row(k) = (r.row(k) + Q.row(k).head(k) * r.topRows(k)).eval() / leaves(k);
  return r;
}

template <class T> std::vector<Index> free_rows(const FixedPoint<T>& problem) {
  std::vector<Index> rows;
  for (Index i = 0; i < problem.free.size(); ++i)
    if (problem.free(i) > 0) rows.push_back(i);
  return rows;
}

template <class T>
Matrix<T> by_elimination(const FixedPoint<T>& problem, const std::vector<Index>& rows, const Execution& run) {
  const Matrix<double> P = problem.strength * problem.P.dense(run).template cast<double>();
  const Matrix<double> Q = P(rows, rows);
  // To clamped rows, plus what a null mass or alpha < 1 lets go.
  const Vector<double> held = (P * (1 - problem.free.template cast<double>().array()).matrix())(rows);
  const Vector<double> lost = (1 - P.rowwise().sum().array())(rows);
  const double rounding =
      static_cast<double>(P.rows()) * static_cast<double>(std::numeric_limits<T>::epsilon());
  const Vector<double> out = held.array() + (lost.array() > rounding).select(lost.array(), 0.0);
  Matrix<T> x = Matrix<T>::Zero(problem.b.rows(), problem.b.cols());
  x(rows, Eigen::all) =
      eliminate(Q, out, problem.b.template cast<double>()(rows, Eigen::all)).template cast<T>();
  return x;
}

template <class T> Matrix<T> by_lu(const FixedPoint<T>& problem) {
  const Index n = problem.b.rows();
  const Vector<double> left = problem.strength * problem.free.template cast<double>();
  const Vector<double> right = problem.free.template cast<double>();
  const Eigen::MatrixXd b = problem.b.template cast<double>();
  if (const SparseMatrix<T>* P = sparse_matrix_of(*problem.P.state().map)) {
    using ByColumns = Eigen::SparseMatrix<double>;
    const ByColumns walk = left.asDiagonal() * ByColumns(P->template cast<double>()) * right.asDiagonal();
    ByColumns A(n, n);
    A.setIdentity();
    A -= walk;
    const Eigen::SparseLU<ByColumns> lu(A);
    if (lu.info() != Eigen::Success) return Matrix<T>::Zero(n, b.cols());
    return Eigen::MatrixXd(lu.solve(b)).template cast<T>();
  }
  const Matrix<T>& P = *dense_matrix_of(*problem.P.state().map);
  const Eigen::MatrixXd walk = left.asDiagonal() * P.template cast<double>() * right.asDiagonal();
  return (Eigen::MatrixXd::Identity(n, n) - walk).partialPivLu().solve(b).template cast<T>();
}

}  // namespace

template <class T> bool can_factorize(const SelfOperator<T>& P) { return P.storage() != "streamed"; }

template <class T> Solution<T> factorize(const FixedPoint<T>& problem, const Execution& run) {
  const std::vector<Index> rows = free_rows(problem);
  const bool stochastic = divides_by_row_mass(problem.P.mechanism().normalization);
  const bool small =
      static_cast<Index>(rows.size()) <= eliminate_up_to && problem.P.rows() <= 2 * eliminate_up_to;
  Solution<T> s{stochastic && small ? by_elimination(problem, rows, run) : by_lu(problem),
                {.n_iter = 1, .solver = "direct"}};
  const Columns residuals = column_norms<T>(problem.residual(s.x, run));
  s.report.residual = problem.relative(residuals);
  // Of entries beside which b is small (alpha near 1) no residual is smaller than their rounding.
  constexpr double rounding = 4 * static_cast<double>(std::numeric_limits<T>::epsilon());
  const bool to_rounding = (residuals.array() <= rounding * column_norms<T>(s.x).array()).all();
  s.report.converged = problem.solved(s.x, to_rounding ? 0 : s.report.residual);
  return s;
}

#define LIKEWISE_INSTANTIATE(T)                        \
  template bool can_factorize(const SelfOperator<T>&); \
  template Solution<T> factorize(const FixedPoint<T>&, const Execution&);
LIKEWISE_INSTANTIATE(float)
LIKEWISE_INSTANTIATE(double)
#undef LIKEWISE_INSTANTIATE

}  // namespace likewise::equilibrium
