// GMRES: systems without a symmetric form.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <Eigen/Jacobi>

#include <likewise/types.hpp>

namespace likewise::solvers {

/// Saad and Schultz 1986: the x of the space spanned by b, A b, A A b, ... with the least residual, begun anew after
/// `restart` steps, until the residual is at most tol |b|, or max_iter steps. O(n restart) memory.
template <class Map>
Vector<double> gmres(const Map& A, const Vector<double>& b, double tol, Index restart, int max_iter) {
  const double goal = tol * b.norm();
  Vector<double> x = Vector<double>::Zero(b.size()), r = b;
  for (int step = 0; step < max_iter && r.norm() > goal; r = b - A(x)) {
    Eigen::MatrixXd basis(b.size(), restart + 1), H = Eigen::MatrixXd::Zero(restart + 1, restart);
    Eigen::VectorXd left = Eigen::VectorXd::Zero(restart + 1);  // of r, in the basis after the turns
    std::vector<Eigen::JacobiRotation<double>> turns;
    left(0) = r.norm();
    basis.col(0) = r / left(0);
    Index k = 0;
    for (; k < restart && step < max_iter && std::abs(left(k)) > goal; ++k, ++step) {
      Vector<double> image = A(Vector<double>(basis.col(k)));
      for (int twice = 0; twice < 2; ++twice) {  // what rounding left of the first time
        const Eigen::VectorXd along = basis.leftCols(k + 1).transpose() * image;
        H.col(k).head(k + 1) += along;
        image -= basis.leftCols(k + 1) * along;
      }
      H(k + 1, k) = image.norm();
      // The space is exhausted: x is exact in it, and the turn leaves nothing.
      basis.col(k + 1) = image / std::max(H(k + 1, k), std::numeric_limits<double>::min());
      for (Index i = 0; i < k; ++i)
        H.col(k).applyOnTheLeft(i, i + 1, turns[static_cast<std::size_t>(i)].adjoint());
      turns.emplace_back().makeGivens(H(k, k), H(k + 1, k));
      H.col(k).applyOnTheLeft(k, k + 1, turns.back().adjoint());
      left.applyOnTheLeft(k, k + 1, turns.back().adjoint());
    }
    const Eigen::VectorXd y = H.topLeftCorner(k, k).triangularView<Eigen::Upper>().solve(left.head(k));
    if (!y.allFinite()) break;  // a singular system
    x += basis.leftCols(k) * y;
  }
  return x;
}

}  // namespace likewise::solvers
