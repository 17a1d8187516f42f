#include "equilibrium/fixed_point.hpp"
#include "until_still.hpp"

namespace likewise::equilibrium {

template <class T> Solution<T> iterate(const FixedPoint<T>& problem, int max_iter, const Execution& run) {
  Solution<T> s{problem.start, {}};
  Matrix<T> change = Matrix<T>::Zero(problem.start.rows(), problem.start.cols());
  s.report = until_still("iterate", max_iter + 1, [&]() -> Move {
    s.x += change;
    change = problem.residual(s.x, run);
    const double residual = problem.relative(column_norms<T>(change));
    return {residual, problem.solved(s.x, residual)};
  });
  --s.report.n_iter;  // the start was looked at, too
  return s;
}

template Solution<float> iterate(const FixedPoint<float>&, int, const Execution&);
template Solution<double> iterate(const FixedPoint<double>&, int, const Execution&);

}  // namespace likewise::equilibrium
