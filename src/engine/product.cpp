#include "engine/product.hpp"

#include <algorithm>

#include "engine/parallel.hpp"
#include "engine/simd/target.hpp"

namespace likewise::engine {
namespace {

struct Shape {
  Index rows, columns;
};

/// Of a block of the result. Each packs its rows of A and its columns of B again: few, large ones for one thread, of a size
/// that can be waited for when somebody wants to stop; smaller ones for several, so that a slow core takes fewer. A number's
/// sum has one order in any block. Where matrix extensions may pay, that is decided for a block: then blocks follow the
/// product's shape alone.
Shape block_shape(Index m, double bytes_of_B, int threads) {
  constexpr double in_cache = 256e3;
  constexpr Index most_rows = 1024, columns = 512;  // these, packed, stay in a second cache
  if (threads == 1 && !simd::amx_chosen()) return {most_rows, 4 * columns};
  if (bytes_of_B <= in_cache) return {m >= 1024 ? 256 : m >= 256 ? 64 : 16, columns};
  const Index quarter = (m / 4 + 15) / 16 * 16;
  return {std::clamp<Index>(quarter, 16, most_rows), columns};
}

/// out += alpha A B, block by block; prepare(block, its first column) comes before, so that the block is
/// near when it is added to.
template <class T, class Prepare>
void over_blocks(T alpha, const Factor<T>& A, const Factor<T>& B, Tile<T> out, const Execution& run,
                 const char* what, const Prepare& prepare) {
  const double operations =
      static_cast<double>(A.rows) * static_cast<double>(A.cols) * static_cast<double>(B.cols) / 16;
  // What one thread does anyway packs B once.
  if (sized({}, operations).n_jobs == 1)
    return parallel_blocks(1, run, what, [&](Index) {
      prepare(out, 0);
      add_product<T>(alpha, A, B, out);
    });
  const double bytes_of_B = sizeof(T) * static_cast<double>(B.rows) * static_cast<double>(B.cols);
  const Shape shape = block_shape(A.rows, bytes_of_B, thread_count(run));
  const Index column_blocks = block_count(B.cols, shape.columns),
              row_blocks = block_count(A.rows, shape.rows);
  parallel_blocks(row_blocks * column_blocks, run, what, [&](Index item) {
    const Block rows = block_of(item / column_blocks, A.rows, shape.rows),
                cols = block_of(item % column_blocks, B.cols, shape.columns);
    prepare(out.block(rows.begin, cols.begin, rows.size, cols.size), cols.begin);
    const simd::Strided<T> a = A.elements, b = B.elements;
    simd::multiply_add<T>(rows.size, cols.size, A.cols, alpha,
                          {a.data + rows.begin * a.row_stride, a.row_stride, a.column_stride},
                          {b.data + cols.begin * b.column_stride, b.row_stride, b.column_stride},
                          out.data() + rows.begin * out.outerStride() + cols.begin, out.outerStride());
  });
}

}  // namespace

template <class T>
void add_product(T alpha, const Factor<T>& A, const Factor<T>& B, Tile<T> out, const Execution& run,
                 const char* what) {
  over_blocks<T>(alpha, A, B, out, run, what, [](Tile<T>, Index) {});
}

template <class T>
void set_product(const Points<T>& start, T alpha, const Factor<T>& A, const Factor<T>& B, Tile<T> out,
                 const Execution& run, const char* what) {
  over_blocks<T>(alpha, A, B, out, run, what, [&](Tile<T> block, Index column) {
    if (start.size() == 0) return static_cast<void>(block.setZero());
    for (Index i = 0; i < block.rows(); ++i)
      std::copy_n(start.data() + column, block.cols(), block.row(i).data());
  });
}

template <class T>
Matrix<T> product(const Factor<T>& A, const Factor<T>& B, const Execution& run, const char* what) {
  Matrix<T> out(A.rows, B.cols);
  set_product<T>(Matrix<T>(), T(1), A, B, out, run, what);
  return out;
}

#define LIKEWISE_INSTANTIATE(T)                                                                             \
  template void add_product(T, const Factor<T>&, const Factor<T>&, Tile<T>, const Execution&, const char*); \
  template void set_product(const Points<T>&, T, const Factor<T>&, const Factor<T>&, Tile<T>,               \
                            const Execution&, const char*);                                                 \
  template Matrix<T> product(const Factor<T>&, const Factor<T>&, const Execution&, const char*);
LIKEWISE_INSTANTIATE(float)
LIKEWISE_INSTANTIATE(double)
#undef LIKEWISE_INSTANTIATE

}  // namespace likewise::engine
