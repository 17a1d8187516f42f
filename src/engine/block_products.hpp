// Whole products with a few columns at once, over threads.
#pragma once

#include <likewise/execution.hpp>

#include "engine/simd/block_products.hpp"

namespace likewise::engine {

/// Y = A X for row-major X and Y of `columns` numbers a row, over blocks of rows.
template <class T>
void sparse_product(const SparseMatrix<T>& A, const T* X, T* Y, Index columns, const Execution& run,
                    const char* what);

/// G = X^T Y for tall row-major X (n, p) and Y (n, q); p and q multiples of column_multiple. Rows are added block by
/// block, the blocks' sums in their order.
Matrix<double> tall_gram(const Matrix<double>& X, const Matrix<double>& Y, const Execution& run);

}  // namespace likewise::engine
