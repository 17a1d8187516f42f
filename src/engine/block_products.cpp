#include "engine/block_products.hpp"

#include <algorithm>
#include <vector>

#include "engine/parallel.hpp"
#include "engine/terms/aligned_rows.hpp"

namespace likewise::engine {

namespace {

/// X on cache lines where it does not lie on them and a copy pays: rows of few lines, met often. Else nothing.
template <class T>
AlignedRows<T> on_lines(const T* X, Index rows, Index columns, double meetings, const Execution& run,
                        const char* what) {
  constexpr double often = 8, few_lines = 4 * cache_line;
  const double row = sizeof(T) * static_cast<double>(columns), bytes = row * static_cast<double>(rows);
  if (!rows_cross_lines(X, columns) || row > few_lines || meetings < often * static_cast<double>(rows)
      || bytes > 0.25 * static_cast<double>(run.memory_allowed()))
    return {};
  AlignedRows<T> copy(rows, columns);
  constexpr Index rows_at_a_time = 4096;
  parallel_blocks(block_count(rows, rows_at_a_time), run, what, [&](Index b) {
    const Block part = block_of(b, rows, rows_at_a_time);
    std::copy_n(X + part.begin * columns, part.size * columns, copy.data() + part.begin * columns);
  });
  return copy;
}

}  // namespace

template <class T>
void sparse_product(const SparseMatrix<T>& A, const T* X, T* Y, Index columns, const Execution& run,
                    const char* what) {
  constexpr Index rows_at_a_time = 512;
  const double edges = static_cast<double>(A.nonZeros());
  const Execution threads = sized(run, edges * static_cast<double>(columns));
  const AlignedRows<T> copy = on_lines(X, A.cols(), columns, edges, threads, what);
  const SparseStep<T> step{.A = rows_of(A), .columns = columns, .X = copy.data() ? copy.data() : X, .Y = Y};
  parallel_blocks(block_count(A.rows(), rows_at_a_time), threads, what,
                  [&](Index b) { sparse_step(step, block_of(b, A.rows(), rows_at_a_time)); });
}
template void sparse_product(const SparseMatrix<float>&, const float*, float*, Index, const Execution&,
                             const char*);
template void sparse_product(const SparseMatrix<double>&, const double*, double*, Index, const Execution&,
                             const char*);

Matrix<double> tall_gram(const Matrix<double>& X, const Matrix<double>& Y, const Execution& run) {
  constexpr Index rows_at_a_time = 2048, rows_in_cache = 128;
  const Index n = X.rows(), n_blocks = block_count(n, rows_at_a_time);
  std::vector<Matrix<double>> parts(static_cast<std::size_t>(n_blocks));
  parallel_blocks(n_blocks, run, "eigenpairs", [&](Index b) {
    Matrix<double>& G = parts[static_cast<std::size_t>(b)];
    G = Matrix<double>::Zero(X.cols(), Y.cols());
    const Block rows = block_of(b, n, rows_at_a_time);
    for (Index i = rows.begin; i < rows.begin + rows.size; i += rows_in_cache) {
      const Index size = std::min(rows_in_cache, rows.begin + rows.size - i);
      add_gram(X, Y, G, {i, size});
    }
  });
  Matrix<double> G = Matrix<double>::Zero(X.cols(), Y.cols());
  for (const Matrix<double>& part : parts) G += part;
  return G;
}

}  // namespace likewise::engine
