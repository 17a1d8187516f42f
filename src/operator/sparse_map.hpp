// A stored operator, its non-zeros.
#pragma once

#include <utility>

#include <likewise/linear_map.hpp>

#include "engine/parallel.hpp"

namespace likewise {

template <class T> struct SparseMap final : LinearMapStorage<T> {
  SparseMatrix<T> P, transposed;

  explicit SparseMap(SparseMatrix<T> matrix) : P(std::move(matrix)), transposed(P.transpose()) {}
  Index rows() const override { return P.rows(); }
  Index cols() const override { return P.cols(); }
  Matrix<T> apply(const Values<T>& V, const Execution& run) const override { return product(P, V, run); }
  Matrix<T> apply_transposed(const Values<T>& V, const Execution& run) const override {
    return product(transposed, V, run);
  }

 private:
  static Matrix<T> product(const SparseMatrix<T>& A, const Values<T>& V, const Execution& run) {
    constexpr Index block = 4096;
    Matrix<T> Y = Matrix<T>::Zero(A.rows(), V.cols());
    const Execution threads =
        engine::sized(run, static_cast<double>(A.nonZeros()) * static_cast<double>(V.cols()));
    engine::parallel_blocks(engine::block_count(A.rows(), block), threads, "propagating", [&](Index b) {
      const engine::Block rows = engine::block_of(b, A.rows(), block);
      for (Index i = rows.begin; i < rows.begin + rows.size; ++i)
        for (typename SparseMatrix<T>::InnerIterator edge(A, i); edge; ++edge)
          Y.row(i) += edge.value() * V.row(edge.col());
    });
    return Y;
  }
};

}  // namespace likewise
