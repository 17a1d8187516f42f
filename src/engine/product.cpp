#include "engine/product.hpp"

#include <algorithm>

#include "engine/parallel.hpp"

namespace likewise::engine {
namespace {

// A block packs its columns of B and its rows of A again, from memory where they are large: few, large blocks then. They
// follow the shape alone: where matrix extensions pay is decided for a block, and bits must not depend on threads.
constexpr Index columns_of_block = 528;  // what is packed of them stays in a second cache

Index rows_of_block(Index m, double bytes_of_B) {
  constexpr double in_cache = 256e3;
  if (bytes_of_B <= in_cache) return m >= 1024 ? 256 : m >= 256 ? 64 : 16;
  const Index quarter = (m / 4 + 15) / 16 * 16;
  return std::clamp<Index>(quarter, 16, 1024);
}

}  // namespace

template <class T>
void add_product(T alpha, const Factor<T>& A, const Factor<T>& B, Tile<T> out, const Execution& run,
                 const char* what) {
  const double operations =
      static_cast<double>(A.rows) * static_cast<double>(A.cols) * static_cast<double>(B.cols) / 16;
  // What one thread does anyway packs B once.
  if (sized({}, operations).n_jobs == 1)
    return parallel_blocks(1, run, what, [&](Index) { add_product<T>(alpha, A, B, out); });
  const Index column_blocks = block_count(B.cols, columns_of_block);
  const double bytes_of_B = sizeof(T) * static_cast<double>(B.rows) * static_cast<double>(B.cols);
  const Index height = rows_of_block(A.rows, bytes_of_B), row_blocks = block_count(A.rows, height);
  parallel_blocks(row_blocks * column_blocks, run, what, [&](Index item) {
    const Block rows = block_of(item / column_blocks, A.rows, height),
                cols = block_of(item % column_blocks, B.cols, columns_of_block);
    const simd::Strided<T> a = A.elements, b = B.elements;
    simd::multiply_add<T>(rows.size, cols.size, A.cols, alpha,
                          {a.data + rows.begin * a.row_stride, a.row_stride, a.column_stride},
                          {b.data + cols.begin * b.column_stride, b.row_stride, b.column_stride},
                          out.data() + rows.begin * out.outerStride() + cols.begin, out.outerStride());
  });
}

template <class T>
Matrix<T> product(const Factor<T>& A, const Factor<T>& B, const Execution& run, const char* what) {
  Matrix<T> out = Matrix<T>::Zero(A.rows, B.cols);
  add_product<T>(T(1), A, B, out, run, what);
  return out;
}

#define LIKEWISE_INSTANTIATE(T)                                                                             \
  template void add_product(T, const Factor<T>&, const Factor<T>&, Tile<T>, const Execution&, const char*); \
  template Matrix<T> product(const Factor<T>&, const Factor<T>&, const Execution&, const char*);
LIKEWISE_INSTANTIATE(float)
LIKEWISE_INSTANTIATE(double)
#undef LIKEWISE_INSTANTIATE

}  // namespace likewise::engine
