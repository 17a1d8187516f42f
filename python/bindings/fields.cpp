#include "fields.hpp"

#include <limits>

namespace likewise::python {

namespace {

// Longer arrays are abbreviated when printed.
constexpr Index longest_printed_array = 64;

py::module_ sparse() { return py::module_::import("scipy.sparse"); }

template <class T> CArray<T> matrix_from(const char* name, const char* allowed, py::handle object) {
  auto array = real_numbers<T>(object);
  if (!array) wrong_type(name, allowed, object);
  if (array.ndim() != 2)
    throw py::value_error(std::string(name) + " must be " + allowed + " with 2 dimensions; got "
                          + std::to_string(array.ndim()) + " dimension(s).");
  return array;
}

template <class T> Matrix<T> copied(const CArray<T>& array) {
  return Eigen::Map<const Matrix<T>>(array.data(), array.shape(0), array.shape(1));
}

/// One of the three arrays of a CSR matrix, whatever its own lie in. Row pointers and column numbers must fit the 32 bits that
/// SciPy uses where they do.
template <class T> CArray<T> part_of(const py::object& csr, const char* which) {
  return CArray<T>(csr.attr(which));
}

}  // namespace

py::array read_only(py::array array) {
  array.attr("flags").attr("writeable") = false;
  return array;
}

std::string print_array(const py::object& value) {
  const auto array = py::reinterpret_borrow<py::array>(value);
  if (array.size() <= longest_printed_array) return py::repr(array.attr("tolist")()).cast<std::string>();
  std::string shape;
  for (py::ssize_t k = 0; k < array.ndim(); ++k) shape += (k ? " x " : "") + std::to_string(array.shape(k));
  return "<" + shape + (array.ndim() == 1 ? " numbers>" : ">");
}

Shared<Matrix<double>> FieldType<Shared<Matrix<double>>>::from(const char* name, py::handle object) {
  if (object.is_none()) return {};
  const auto array = matrix_from<double>(name, "an array of numbers", object);
  Matrix<double> content = copied(array);
  require(content.allFinite(), name, "finite", "NaN or infinity");
  return content;
}

// Numbers are refused: in a boolean mask True means "may attend"; additive masks have the other polarity.
Shared<BoolMatrix> FieldType<Shared<BoolMatrix>>::from(const char* name, py::handle object) {
  const auto given = py::array::ensure(object);
  if (!given || given.dtype().kind() != 'b') {
    PyErr_Clear();
    wrong_type(name, "a boolean array, True = may attend", given ? py::object(given.dtype()) : py::none());
  }
  return copied(matrix_from<bool>(name, "a boolean array, True = may attend", object));
}

py::object FieldType<Shared<Vector<double>>>::to(const char*, const Shared<Vector<double>>& content) {
  if (content->size() == 0) return py::none();
  using Content = Shared<Vector<double>>;
  const py::capsule keep_alive(new Content(content), [](void* p) { delete static_cast<Content*>(p); });
  return read_only(py::array_t<double>(content->size(), content->data(), keep_alive));
}

Shared<Vector<double>> FieldType<Shared<Vector<double>>>::from(const char* name, py::handle object) {
  if (object.is_none()) return {};
  const auto array = real_numbers<double>(object);
  if (!array || array.ndim() != 1) {
    PyErr_Clear();
    wrong_type(name, "a 1-D array of numbers or None", object);
  }
  const Vector<double> content = Eigen::Map<const Vector<double>>(array.data(), array.size());
  require(content.allFinite(), name, "finite", "NaN or infinity");
  return content;
}

py::object FieldType<Shared<GroupLabels>>::to(const char*, const Shared<GroupLabels>& groups) {
  using Content = Shared<GroupLabels>;
  const py::capsule keep_alive(new Content(groups), [](void* p) { delete static_cast<Content*>(p); });
  return read_only(py::array_t<Index>(groups->rows(), groups->labels().data(), keep_alive));
}

Shared<GroupLabels> FieldType<Shared<GroupLabels>>::from(const char* name, py::handle object) {
  const auto given = py::array::ensure(object);
  const char kind = given ? given.dtype().kind() : '?';
  if (!given || given.ndim() != 1 || (kind != 'i' && kind != 'u')) {
    PyErr_Clear();
    wrong_type(name, "a 1-D array of ints, the group of each point", object);
  }
  const CArray<Index> groups(given);
  return GroupLabels(std::vector<Index>(groups.data(), groups.data() + groups.size()));
}

py::object FieldType<Shared<SparseMatrix<double>>>::to(const char*,
                                                       const Shared<SparseMatrix<double>>& content) {
  using Content = Shared<SparseMatrix<double>>;
  const py::capsule keep_alive(new Content(content), [](void* p) { delete static_cast<Content*>(p); });
  const Index n = content->nonZeros();
  const auto values = read_only(py::array_t<double>(n, content->valuePtr(), keep_alive));
  const auto columns = read_only(py::array_t<int>(n, content->innerIndexPtr(), keep_alive));
  const auto starts = read_only(py::array_t<int>(content->rows() + 1, content->outerIndexPtr(), keep_alive));
  return sparse().attr("csr_matrix")(py::make_tuple(values, columns, starts),
                                     py::arg("shape") = py::make_tuple(content->rows(), content->cols()));
}

Shared<SparseMatrix<double>> FieldType<Shared<SparseMatrix<double>>>::from(const char* name,
                                                                           py::handle object) {
  if (!sparse().attr("issparse")(object).cast<bool>()) wrong_type(name, "a SciPy sparse matrix", object);
  const py::object csr = py::module_::import("likewise._checks").attr("csr")(object, name);
  const auto n = csr.attr("nnz").cast<Index>();
  require(n <= std::numeric_limits<int>::max(), name, "a matrix with less than 2^31 entries", n);
  const auto shape = csr.attr("shape").cast<std::pair<Index, Index>>();
  const auto values = part_of<double>(csr, "data");
  const auto columns = part_of<int>(csr, "indices"), starts = part_of<int>(csr, "indptr");
  const Eigen::Map<const SparseMatrix<double>> view(shape.first, shape.second, n, starts.data(),
                                                    columns.data(), values.data());
  require(Eigen::Map<const Vector<double>>(values.data(), n).allFinite(), name, "finite", "NaN or infinity");
  return SparseMatrix<double>(view);
}

std::string FieldType<Shared<SparseMatrix<double>>>::print(const py::object& value) {
  const auto shape = value.attr("shape").cast<std::pair<Index, Index>>();
  return "<" + std::to_string(shape.first) + " x " + std::to_string(shape.second) + ", "
         + py::str(value.attr("nnz")).cast<std::string>() + " edges>";
}

}  // namespace likewise::python
