#include "equilibrium/fixed_point.hpp"

namespace likewise::equilibrium {

template <class T> Solution<T> iterate(const FixedPoint<T>& problem, int max_iter, const Execution& run) {
  Solution<T> s{problem.start, {.converged = false, .solver = "iterate"}};
  while (true) {
    const Matrix<T> change = problem.residual(s.x, run);
    s.report.residual = problem.relative(column_norms<T>(change));
    s.report.converged = problem.solved(s.x, s.report.residual);
    if (s.report.converged || s.report.n_iter == max_iter) return s;
    s.x += change;
    ++s.report.n_iter;
  }
}

template Solution<float> iterate(const FixedPoint<float>&, int, const Execution&);
template Solution<double> iterate(const FixedPoint<double>&, int, const Execution&);

}  // namespace likewise::equilibrium
