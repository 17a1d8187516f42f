#include "equilibrium/matrix_free.hpp"

namespace likewise::equilibrium {

template <class T> Solution<T> bicgstab(const FixedPoint<T>& problem, int max_iter, const Execution& run) {
  Solution<T> s{Matrix<T>::Zero(problem.b.rows(), problem.b.cols()), {.solver = "bicgstab"}};
  const SystemMatrix<T> A(problem, run);
  Eigen::BiCGSTAB<SystemMatrix<T>, Eigen::IdentityPreconditioner> solver(A);
  solver.setMaxIterations(max_iter);
  solver.setTolerance(static_cast<T>(0.1 * problem.tol));  // its residual is the recursion's
  for (Index c = 0; c < problem.b.cols(); ++c) {
    s.x.col(c) = solver.solve(problem.b.col(c));
    if (!s.x.col(c).allFinite()) s.x.col(c).setZero();  // a breakdown, 0/0: not solved, and said so
    s.report.n_iter = std::max(s.report.n_iter, static_cast<int>(solver.iterations()));
  }
  s.report.residual = problem.relative(column_norms<T>(problem.residual(s.x, run)));
  s.report.converged = problem.solved(s.x, s.report.residual);
  return s;
}

template Solution<float> bicgstab(const FixedPoint<float>&, int, const Execution&);
template Solution<double> bicgstab(const FixedPoint<double>&, int, const Execution&);

}  // namespace likewise::equilibrium
