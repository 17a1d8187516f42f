// C++ arrays that outlive the call as NumPy arrays without a copy.
#pragma once

#include <likewise/types.hpp>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "fields.hpp"

namespace likewise::python {

/// Owns `content` from now on and hands out arrays of its memory.
template <class Content> py::capsule keep(Content content) {
  return py::capsule(new Content(std::move(content)), [](void* p) { delete static_cast<Content*>(p); });
}

/// A view (n,) of memory that `owner` keeps alive.
template <class T> py::array view(const T* data, Index n, const py::handle& owner) {
  return read_only(py::array_t<T>(n, data, owner));
}
template <class T> py::array view(const Vector<T>& v, const py::handle& owner) {
  return view(v.data(), v.size(), owner);
}
/// A view (n, c).
template <class T> py::array view(const Matrix<T>& m, const py::handle& owner) {
  return read_only(py::array_t<T>({m.rows(), m.cols()}, m.data(), owner));
}

/// A writable view of numbers that `owner` holds and whose size never changes.
template <class T> py::array_t<T> writable(Vector<T>& numbers, const py::object& owner) {
  return py::array_t<T>(numbers.size(), numbers.data(), owner);
}
template <class T> py::array_t<T> writable(Matrix<T>& numbers, const py::object& owner) {
  return py::array_t<T>({numbers.rows(), numbers.cols()}, numbers.data(), owner);
}

/// Gradients by the names of parameters; those of biases, which are rows here, as vectors.
inline py::dict parameter_gradients(std::map<std::string, Matrix<double>> gradients) {
  py::dict found;
  for (auto& [name, value] : gradients) {
    const std::string last = name.substr(name.rfind('.') + 1);
    py::object array = py::cast(std::move(value));
    const bool is_vector = last[0] == 'a' || last[0] == 'b';  // matrices have capitals
    found[py::str(name)] = is_vector ? array.attr("ravel")() : array;
  }
  return found;
}

/// A writable array that takes over the memory of a vector.
template <class T> py::array moved(std::vector<T> values) {
  auto* content = new std::vector<T>(std::move(values));
  const py::capsule owner(content, [](void* p) { delete static_cast<std::vector<T>*>(p); });
  return py::array_t<T>(static_cast<py::ssize_t>(content->size()), content->data(), owner);
}

/// A SciPy CSR matrix of a copy.
template <class T> py::object csr_matrix(const SparseMatrix<T>& matrix) {
  const Index n = matrix.nonZeros();
  return py::module_::import("scipy.sparse")
      .attr("csr_matrix")(
          py::make_tuple(py::array_t<T>(n, matrix.valuePtr()), py::array_t<int>(n, matrix.innerIndexPtr()),
                         py::array_t<int>(matrix.rows() + 1, matrix.outerIndexPtr())),
          py::arg("shape") = py::make_tuple(matrix.rows(), matrix.cols()));
}

}  // namespace likewise::python
