// Dense products by the engine's own kernels: the instruction set found at run time, all threads, one result for any number.
#pragma once

#include <likewise/execution.hpp>
#include <likewise/types.hpp>

#include "engine/simd/product.hpp"

namespace likewise::engine {

/// A matrix as a factor of a product: as it is, or transposed.
template <class T> struct Factor {
  simd::Strided<T> elements;
  Index rows, cols;
};
template <class T> Factor<T> as_it_is(const Points<T>& M) {
  return {{M.data(), M.outerStride(), 1}, M.rows(), M.cols()};
}
template <class T> Factor<T> transposed(const Points<T>& M) {
  return {{M.data(), 1, M.outerStride()}, M.cols(), M.rows()};
}

/// out += alpha A B on this thread.
template <class T> void add_product(T alpha, const Factor<T>& A, const Factor<T>& B, Tile<T> out) {
  simd::multiply_add<T>(out.rows(), out.cols(), A.cols, alpha, A.elements, B.elements, out.data(),
                        out.outerStride());
}

/// The same over threads; every number's sum has one order, whatever their number. O(m n k) time, 7 MB of scratch a thread.
template <class T>
void add_product(T alpha, const Factor<T>& A, const Factor<T>& B, Tile<T> out, const Execution& run,
                 const char* what);
/// out = start + alpha A B, where every row starts from the same one; an empty one is 0.
template <class T>
void set_product(const Points<T>& start, T alpha, const Factor<T>& A, const Factor<T>& B, Tile<T> out,
                 const Execution& run, const char* what);
/// A B.
template <class T>
Matrix<T> product(const Factor<T>& A, const Factor<T>& B, const Execution& run, const char* what);

}  // namespace likewise::engine
