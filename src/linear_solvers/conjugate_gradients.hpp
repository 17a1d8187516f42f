// Conjugate gradients: the one loop behind equilibria, their gradients, and the gradient of Sinkhorn's scalings.
#pragma once

#include "linear_solvers/columns.hpp"

namespace likewise::solvers {

/// Hestenes and Stiefel 1952, every column at once with its own scalars, in the inner product sum_i weights_i x_i y_i in
/// which A is self-adjoint and positive definite. From x, whose residual b - A(x) is r, until the recursion's residual is
/// at most `goal` in every column, or max_iter products. Returns their number. The recursion drifts: who needs to know how
/// good x is computes the residual anew.
template <class T, class Map>
int conjugate_gradients(const Map& A, const Vector<double>& weights, const Columns& goal, int max_iter,
                        Matrix<T>& x, Matrix<T> r) {
  const auto products = [&weights](const Matrix<T>& a, const Matrix<T>& b) -> Columns {
    return weights.transpose() * a.cwiseProduct(b).template cast<double>();
  };
  // 0 for a column that is finished (or where rounding has eaten what is left of it).
  const auto quotient = [](const Columns& a, const Columns& b) -> Columns {
    return (b.array() > 0 && a.array() > 0).select(a.array() / b.array(), 0.0);
  };
  const auto per_column = [](const Columns& factors) { return factors.template cast<T>().asDiagonal(); };
  Matrix<T> direction = r;
  Columns size = products(r, r);
  int n_iter = 0;
  while (n_iter < max_iter && (column_norms<T>(r).array() > goal.array()).any()) {
    const Matrix<T> image = A(direction);
    const Columns step = quotient(size, products(direction, image));
    ++n_iter;
    if ((step.array() == 0).all()) break;
    x += direction * per_column(step);
    r -= image * per_column(step);
    const Columns next = products(r, r), turn = quotient(next, size);
    direction = r + direction * per_column(turn);
    size = next;
  }
  return n_iter;
}

}  // namespace likewise::solvers
