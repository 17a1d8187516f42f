// A linear map as algorithms see it: a shape, and products with blocks of columns.
#pragma once

#include <cstdint>
#include <memory>
#include <ostream>
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
  /// Empty, 0 x 0, until another map is assigned: for members.
  LinearMap() = default;
  explicit LinearMap(std::shared_ptr<const LinearMapStorage<T>> storage) : storage_(std::move(storage)) {}

  Index rows() const { return storage_ ? storage_->rows() : 0; }
  Index cols() const { return storage_ ? storage_->cols() : 0; }

  /// Y = P V for V (cols, c). Y is (rows, c); c = 0 is allowed.
  Matrix<T> apply(const Values<T>& V, const Execution& run = {}) const;
  /// Y = P^T V for V (rows, c). Y is (cols, c).
  Matrix<T> apply_transposed(const Values<T>& V, const Execution& run = {}) const;
  /// The same as apply(V), for any matrix of T.
  template <class D> Matrix<ScalarOf<LinearMap, D>> operator*(const Eigen::MatrixBase<D>& V) const {
    return apply(V.derived());
  }
  /// P^T as a map of its own, which shares what P stores.
  LinearMap transpose() const;

  /// Throws InvalidArgument of an empty map.
  const LinearMapStorage<T>& implementation() const;

 private:
  std::shared_ptr<const LinearMapStorage<T>> storage_;
};

/// "150 x 150 map": what an operator is printed as begins with its shape.
template <class T> std::ostream& operator<<(std::ostream& out, const LinearMap<T>& P) {
  return out << P.rows() << " x " << P.cols() << " map";
}

/// P^t, t >= 0 products, fewer where the columns come to rest before. Square maps only. More than 2^20 products without
/// rest are refused when the map is applied.
template <class T> LinearMap<T> power(const LinearMap<T>& P, std::int64_t t);

/// exp(-t (I - P)), t >= 0: the Poisson series exp(-t) sum_k t^k/k! P^k, about 1.2 t + 20 products, fewer where the columns
/// come to rest before, more where P's powers grow (`Unnormalized`). More than 2^20 products without rest are refused when
/// the map is applied.
template <class T> LinearMap<T> heat(const LinearMap<T>& P, double t);

}  // namespace likewise
