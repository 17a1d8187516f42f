#include "equilibrium/fixed_point.hpp"
#include "until_still.hpp"

namespace likewise::equilibrium {

namespace {

/// problem.residual(x) in the memory of the product, and its columns' norms, in one pass: matrices of many rows cost more to
/// lay out than to multiply.
template <class T>
Columns residual_in_place(const FixedPoint<T>& problem, const Matrix<T>& x, Matrix<T>& residual,
                          const Execution& run) {
  residual = problem.P.apply(x, run);
  Columns squares = Columns::Zero(x.cols());
  for (Index i = 0; i < x.rows(); ++i) {
    const T scale = static_cast<T>(problem.strength) * problem.free(i);
    residual.row(i) = problem.b.row(i) + scale * residual.row(i) - x.row(i);
    squares += residual.row(i).template cast<double>().cwiseAbs2();
  }
  return squares.cwiseSqrt();
}

}  // namespace

template <class T> Solution<T> iterate(const FixedPoint<T>& problem, int max_iter, const Execution& run) {
  Solution<T> s{problem.start, {}};
  const Columns b_norms = column_norms<T>(problem.b);
  Matrix<T> change = Matrix<T>::Zero(problem.start.rows(), problem.start.cols());
  s.report = until_still("iterate", max_iter + 1, [&]() -> Move {
    s.x += change;
    const double residual = problem.relative(residual_in_place(problem, s.x, change, run), b_norms);
    return {residual, problem.solved(s.x, residual)};
  });
  --s.report.n_iter;  // the start was looked at, too
  return s;
}

template Solution<float> iterate(const FixedPoint<float>&, int, const Execution&);
template Solution<double> iterate(const FixedPoint<double>&, int, const Execution&);

}  // namespace likewise::equilibrium
