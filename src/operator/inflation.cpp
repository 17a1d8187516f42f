#include "operator/inflation.hpp"

#include <memory>
#include <string>
#include <utility>

#include <likewise/error.hpp>
#include <likewise/inflation.hpp>

#include "engine/call.hpp"
#include "operator/dense_map.hpp"
#include "operator/kernel_matrix.hpp"
#include "operator/sparse_map.hpp"

namespace likewise {
namespace {

template <class Weights> void require_not_negative(const Weights& weights) {
  require(weights.size() == 0 || weights.minCoeff() >= 0, "P", "a map whose entries are not negative",
          weights.size() ? static_cast<double>(weights.minCoeff()) : 0.0);
}

}  // namespace

template <class T> Matrix<T> dense(const LinearMap<T>& P, const Execution& run) {
  const engine::Call call(run);
  const Index n = P.cols();
  run.require_memory(2.0 * sizeof(T) * static_cast<double>(P.rows() + n) * static_cast<double>(n),
                     "the entries of a map", "multiply with the columns that are wanted",
                     std::to_string(P.rows()) + " x " + std::to_string(n));
  if (const Matrix<T>* stored = dense_matrix_of(P.implementation())) return *stored;
  if (const SparseMatrix<T>* stored = sparse_matrix_of(P.implementation())) return Matrix<T>(*stored);
  return P.apply(Matrix<T>::Identity(n, n), run);
}

template <class T> LinearMap<T> inflate(const LinearMap<T>& P, double r, const Execution& run) {
  const engine::Call call(run);
  require(r > 0 && std::isfinite(r), "r", "a finite number above 0", r);
  if (const SparseMatrix<T>* stored = sparse_matrix_of(P.implementation())) {
    SparseMatrix<T> entries = *stored;
    require_not_negative(entries.coeffs());
    for (Index i = 0; i < entries.rows(); ++i) {
      const Index begin = entries.outerIndexPtr()[i], end = entries.outerIndexPtr()[i + 1];
      inflate_row(Eigen::Map<Vector<T>>(entries.valuePtr() + begin, end - begin), r);
    }
    return LinearMap<T>(std::make_shared<const SparseMap<T>>(std::move(entries)));
  }
  Matrix<T> entries = dense(P, run);
  require_not_negative(entries);
  for (Index i = 0; i < entries.rows(); ++i) inflate_row(entries.row(i), r);
  return LinearMap<T>(std::make_shared<const DenseMap<T>>(std::move(entries)));
}

#define LIKEWISE_INSTANTIATE(T)                                    \
  template Matrix<T> dense(const LinearMap<T>&, const Execution&); \
  template LinearMap<T> inflate(const LinearMap<T>&, double, const Execution&);
LIKEWISE_INSTANTIATE(float)
LIKEWISE_INSTANTIATE(double)
#undef LIKEWISE_INSTANTIATE

}  // namespace likewise
