#include "linear_solvers/conjugate_gradients.hpp"

#include "equilibrium/fixed_point.hpp"

namespace likewise::equilibrium {

template <class T>
Solution<T> conjugate_gradients(const FixedPoint<T>& problem, const Vector<double>& pi, int max_iter,
                                const Execution& run) {
  Solution<T> s{Matrix<T>::Zero(problem.b.rows(), problem.b.cols()), {.converged = false, .solver = "cg"}};
  const auto system = [&](const Matrix<T>& x) -> Matrix<T> { return x - problem.propagate(x, run); };
  Columns goal = problem.tol * column_norms<T>(problem.b);
  Matrix<T> r = problem.b;
  while (true) {
    s.report.residual = problem.relative(column_norms<T>(r));
    s.report.converged = problem.solved(s.x, s.report.residual);
    if (s.report.converged || s.report.n_iter >= max_iter) return s;
    const int most = max_iter - s.report.n_iter - 1;  // the sweep below is one as well
    s.report.n_iter += solvers::conjugate_gradients<T>(system, pi, goal, most, s.x, r);
    // The recursion drifts, and does not see rows without weight in pi: one plain sweep settles those.
    s.x += problem.residual(s.x, run);
    r = problem.residual(s.x, run);
    ++s.report.n_iter;
    goal *= 0.01;
  }
}

template Solution<float> conjugate_gradients(const FixedPoint<float>&, const Vector<double>&, int,
                                             const Execution&);
template Solution<double> conjugate_gradients(const FixedPoint<double>&, const Vector<double>&, int,
                                              const Execution&);

}  // namespace likewise::equilibrium
