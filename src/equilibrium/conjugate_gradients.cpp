#include "equilibrium/fixed_point.hpp"

namespace likewise::equilibrium {
namespace {

template <class T> Columns products(const Vector<double>& pi, const Matrix<T>& x, const Matrix<T>& y) {
  return pi.transpose() * x.cwiseProduct(y).template cast<double>();
}

/// a / b, and 0 for a column that is finished (or where rounding has eaten what is left of it).
Columns quotient(const Columns& a, const Columns& b) {
  return (b.array() > 0 && a.array() > 0).select(a.array() / b.array(), 0.0);
}

template <class T> auto per_column(const Columns& factors) { return factors.cast<T>().asDiagonal(); }

/// Steps until the recursion's residual r is below `goal` in every column; returns their number.
template <class T>
int descend(const FixedPoint<T>& problem, const Vector<double>& pi, const Columns& goal, int max_iter,
            Matrix<T>& x, Matrix<T> r, const Execution& run) {
  Matrix<T> direction = r;
  Columns size = products(pi, r, r);
  int n_iter = 0;
  while (n_iter < max_iter && (column_norms<T>(r).array() > goal.array()).any()) {
    const Matrix<T> image = direction - problem.propagate(direction, run);
    const Columns step = quotient(size, products(pi, direction, image));
    ++n_iter;
    if ((step.array() == 0).all()) break;
    x += direction * per_column<T>(step);
    r -= image * per_column<T>(step);
    const Columns next = products(pi, r, r);
    direction = r + direction * per_column<T>(quotient(next, size));
    size = next;
  }
  return n_iter;
}

}  // namespace

template <class T>
Solution<T> conjugate_gradients(const FixedPoint<T>& problem, const Vector<double>& pi, int max_iter,
                                const Execution& run) {
  Solution<T> s{Matrix<T>::Zero(problem.b.rows(), problem.b.cols()), {.converged = false, .solver = "cg"}};
  Columns goal = problem.tol * column_norms<T>(problem.b);
  Matrix<T> r = problem.b;
  while (true) {
    s.report.residual = problem.relative(column_norms<T>(r));
    s.report.converged = problem.solved(s.x, s.report.residual);
    if (s.report.converged || s.report.n_iter >= max_iter) return s;
    s.report.n_iter += descend(problem, pi, goal, max_iter - s.report.n_iter, s.x, r, run);
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
