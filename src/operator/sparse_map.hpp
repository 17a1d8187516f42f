// A stored operator, its non-zeros.
#pragma once

#include <memory>
#include <utility>

#include <likewise/linear_map.hpp>

#include "engine/block_products.hpp"
#include "operator/csr.hpp"
#include "operator/lazy.hpp"

namespace likewise {

template <class T> struct SparseMap final : LinearMapStorage<T> {
  SparseMatrix<T> P;
  Vector<T> mass;  ///< what divides the products of each row, 0 where they are 0; empty: P is divided already

  explicit SparseMap(SparseMatrix<T>&& matrix, Vector<T> row_mass = {})
      : P(csr::taken(std::move(matrix))), mass(std::move(row_mass)) {
    P.makeCompressed();
  }
  Index rows() const override { return P.rows(); }
  Index cols() const override { return P.cols(); }
  Matrix<T> apply(const Values<T>& V, const Execution& run) const override {
    Matrix<T> Y = product(P, V, run);
    divide(Y);
    return Y;
  }
  Matrix<T> apply_transposed(const Values<T>& V, const Execution& run) const override {
    // No callbacks below the lock: one could ask for the same product.
    const auto& other = transposed_.get([&] { return stored_transpose({.n_jobs = run.n_jobs}); });
    if (mass.size() == 0) return product(other ? *other : P, V, run);
    Matrix<T> shares = V;
    divide(shares);
    return product(other ? *other : P, shares, run);
  }

 private:
  void divide(Matrix<T>& rows) const {
    for (Index i = 0; i < mass.size(); ++i)
      if (mass(i) > 0) rows.row(i) /= mass(i);
  }
  static Matrix<T> product(const SparseMatrix<T>& A, const Values<T>& V, const Execution& run) {
    if (V.outerStride() != V.cols()) return product(A, Matrix<T>(V), run);
    Matrix<T> Y(A.rows(), V.cols());
    engine::sparse_product(A, V.data(), Y.data(), V.cols(), run, "propagating");
    return Y;
  }

  /// P^T; nothing where it is P itself.
  std::shared_ptr<const SparseMatrix<T>> stored_transpose(const Execution& run) const {
    SparseMatrix<T> other = csr::transposed(P, run);
    const auto same = [](const auto* a, const auto* b, Index size) { return std::equal(a, a + size, b); };
    const bool symmetric = P.rows() == P.cols()
                           && same(P.outerIndexPtr(), other.outerIndexPtr(), P.rows() + 1)
                           && same(P.innerIndexPtr(), other.innerIndexPtr(), P.nonZeros())
                           && same(P.valuePtr(), other.valuePtr(), P.nonZeros());
    if (symmetric) return {};
    return csr::shared(std::move(other));
  }

  Lazy<std::shared_ptr<const SparseMatrix<T>>> transposed_;
};

}  // namespace likewise
