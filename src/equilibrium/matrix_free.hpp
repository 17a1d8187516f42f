// I - strength M P M as Eigen's iterative solvers want a matrix: something that multiplies a vector.
#pragma once

#include <Eigen/IterativeLinearSolvers>

#include "equilibrium/fixed_point.hpp"

namespace likewise::equilibrium {
template <class T> class SystemMatrix;
}

namespace Eigen::internal {
template <class T> struct traits<likewise::equilibrium::SystemMatrix<T>> : traits<Eigen::SparseMatrix<T>> {};
}  // namespace Eigen::internal

namespace likewise::equilibrium {

template <class T> class SystemMatrix : public Eigen::EigenBase<SystemMatrix<T>> {
 public:
  using Scalar = T;
  using RealScalar = T;
  using StorageIndex = int;
  enum { ColsAtCompileTime = Eigen::Dynamic, MaxColsAtCompileTime = Eigen::Dynamic, IsRowMajor = false };

  SystemMatrix(const FixedPoint<T>& problem, const Execution& run) : problem_(problem), run_(run) {}
  Index rows() const { return problem_.P.rows(); }
  Index cols() const { return problem_.P.cols(); }
  template <class Rhs>
  Eigen::Product<SystemMatrix, Rhs, Eigen::AliasFreeProduct> operator*(
      const Eigen::MatrixBase<Rhs>& x) const {
    return {*this, x.derived()};
  }
  Vector<T> times(const Matrix<T>& x) const { return x - problem_.propagate(x, run_); }

 private:
  const FixedPoint<T>& problem_;
  const Execution& run_;
};

}  // namespace likewise::equilibrium

namespace Eigen::internal {
template <class T, class Rhs>
struct generic_product_impl<likewise::equilibrium::SystemMatrix<T>, Rhs, SparseShape, DenseShape, GemvProduct>
    : generic_product_impl_base<likewise::equilibrium::SystemMatrix<T>, Rhs,
                                generic_product_impl<likewise::equilibrium::SystemMatrix<T>, Rhs, SparseShape,
                                                     DenseShape, GemvProduct>> {
  template <class Dest>
  static void scaleAndAddTo(Dest& dst, const likewise::equilibrium::SystemMatrix<T>& A, const Rhs& x,
                            const T& factor) {
    dst += factor * A.times(x);
  }
};
}  // namespace Eigen::internal
