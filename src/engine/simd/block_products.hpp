// Products with a few columns at once: sparse rows times a block of columns, and tall blocks with each other.
#pragma once

#include <likewise/types.hpp>

#include "engine/terms/block.hpp"

namespace likewise::engine {

/// Rows of a CSR matrix, as pointers.
template <class T> struct SparseRows {
  const int* offsets;
  const int* indices;
  const T* values;
};
template <class T> SparseRows<T> rows_of(const SparseMatrix<T>& A) {
  return {A.outerIndexPtr(), A.innerIndexPtr(), A.valuePtr()};
}

/// Y = alpha A X + beta X + gamma Z + R diag(delta), row-major blocks of `columns` numbers a row, one after the
/// other. Z is read where gamma is not 0 and may be Y; R where it is not null. X has A's columns as rows, and is square
/// to it where beta is not 0.
template <class T> struct SparseStep {
  SparseRows<T> A;
  Index columns = 0;
  const T* X = nullptr;
  T* Y = nullptr;
  T alpha = 1, beta = 0, gamma = 0;
  const T* Z = nullptr;
  const T* R = nullptr;
  const T* delta = nullptr;
};
/// Those rows of Y.
void sparse_step(const SparseStep<float>& step, Block rows);
void sparse_step(const SparseStep<double>& step, Block rows);

/// Rows of Y = P V from V^T, (c, P.cols()), for a handful of columns: P is read from memory once.
void dense_rows_product(const Matrix<float>& P, const Matrix<float>& V_transposed, Matrix<float>& Y,
                        Block rows);
void dense_rows_product(const Matrix<double>& P, const Matrix<double>& V_transposed, Matrix<double>& Y,
                        Block rows);

/// Blocks in memory have a multiple of so many columns.
constexpr Index column_multiple = 16;

/// G (p, q) += X^T Y for those rows of X (n, p) and Y (n, q); p and q multiples of column_multiple.
void add_gram(const Matrix<double>& X, const Matrix<double>& Y, Matrix<double>& G, Block rows);

/// Rows of Y = X C for tall row-major X (n, p), C (p, q); p and q multiples of column_multiple.
void tall_times_small(const Matrix<double>& X, const Matrix<double>& C, Matrix<double>& Y, Block rows);

}  // namespace likewise::engine
