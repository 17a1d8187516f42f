// Stacks of matrices: arrays whose leading dimensions count sequences and heads.
#pragma once

#include <algorithm>
#include <vector>

#include <likewise/types.hpp>

#include "fields.hpp"

namespace likewise::python {

/// The matrices of an array (..., rows, cols), broadcast dimensions having stride 0.
class Stack {
 public:
  explicit Stack(const py::array& array, py::ssize_t matrix_dims = 2)
      : array_(array), n_lead_(array.ndim() - matrix_dims) {}

  Index count() const {
    Index n = 1;
    for (py::ssize_t k = 0; k < n_lead_; ++k) n *= array_.shape(k);
    return n;
  }
  /// Where matrix i of the leading dimensions, counted in C order, begins.
  const void* at(Index i) const {
    const char* data = static_cast<const char*>(array_.data());
    for (py::ssize_t k = n_lead_ - 1; k >= 0; --k) {
      data += (i % array_.shape(k)) * array_.strides(k);
      i /= array_.shape(k);
    }
    return data;
  }
  Index rows() const { return array_.shape(n_lead_); }
  Index cols() const { return array_.shape(n_lead_ + 1); }

  template <class T> Eigen::Map<const Matrix<T>> matrix(Index i) const {
    return {static_cast<const T*>(at(i)), rows(), cols()};
  }

 private:
  py::array array_;
  py::ssize_t n_lead_;
};

/// Results (rows, cols) under the leading dimensions of `like`.
template <class T>
py::array_t<T> stacked(const py::array& like, Index rows, Index cols, const std::vector<Matrix<T>>& results) {
  std::vector<py::ssize_t> shape(like.shape(), like.shape() + like.ndim() - 2);
  shape.push_back(rows);
  shape.push_back(cols);
  py::array_t<T> array(shape);
  T* next = array.mutable_data();
  for (const Matrix<T>& result : results) next = std::copy_n(result.data(), result.size(), next);
  return array;
}

}  // namespace likewise::python
