// A linear map as algorithms see it: a shape, and products with blocks of columns.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include <likewise/error.hpp>
#include <likewise/execution.hpp>
#include <likewise/types.hpp>

namespace likewise {

/// What a storage implements. Arguments have been checked.
template <class T> struct LinearMapStorage {
  virtual ~LinearMapStorage() = default;
  virtual Index rows() const = 0;
  virtual Index cols() const = 0;
  virtual Matrix<T> apply(const Values<T>& V, const Execution& run) const = 0;  ///< (cols, c) -> (rows, c)
  virtual Matrix<T> apply_transposed(const Values<T>& V,
                                     const Execution& run) const = 0;  ///< (rows, c) -> (cols, c)
};

/// An immutable linear map; copies share it.
template <class T> class LinearMap {
 public:
  using Scalar = T;
  explicit LinearMap(std::shared_ptr<const LinearMapStorage<T>> storage) : storage_(std::move(storage)) {}

  Index rows() const { return storage_->rows(); }
  Index cols() const { return storage_->cols(); }

  /// Y = P V for V (cols, c). Y is (rows, c); c = 0 is allowed.
  Matrix<T> apply(const Values<T>& V, const Execution& run = {}) const {
    require(V.rows() == cols(), "V", "a matrix with " + std::to_string(cols()) + " rows (one for each key)",
            V.rows());
    return storage_->apply(V, run);
  }
  /// Y = P^T V for V (rows, c). Y is (cols, c).
  Matrix<T> apply_transposed(const Values<T>& V, const Execution& run = {}) const {
    require(V.rows() == rows(), "V", "a matrix with " + std::to_string(rows()) + " rows (one for each query)",
            V.rows());
    return storage_->apply_transposed(V, run);
  }
  template <class D> Matrix<T> operator*(const Eigen::MatrixBase<D>& V) const { return apply(V.derived()); }

  const LinearMapStorage<T>& implementation() const { return *storage_; }

 private:
  std::shared_ptr<const LinearMapStorage<T>> storage_;
};

/// P^t, t >= 0 products, fewer where the columns come to rest before. Square maps only. More than 2^20 products without
/// rest are refused when the map is applied.
template <class T> LinearMap<T> power(const LinearMap<T>& P, std::int64_t t);

/// exp(-t (I - P)), t >= 0, for P whose powers are bounded (row-stochastic, symmetric, density,
/// bistochastic): the Poisson series exp(-t) sum_k t^k/k! P^k, about 1.2 t + 20 products, fewer where the columns come
/// to rest before. More than 2^20 products without rest are refused when the map is applied.
template <class T> LinearMap<T> heat(const LinearMap<T>& P, double t);

}  // namespace likewise
