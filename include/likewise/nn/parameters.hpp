// Parameters of layers: one flat vector, and who lives where in it.
#pragma once

#include <string>
#include <vector>

#include <likewise/error.hpp>
#include <likewise/types.hpp>

namespace likewise::nn {

/// A matrix or, with `cols` 0, a vector in a flat vector; rows follow one another.
struct Slot {
  Index offset = 0, rows = 0, cols = 0;

  Index size() const { return rows * (cols ? cols : 1); }
  bool operator==(const Slot&) const = default;
};

/// Names, shapes and places. Layers add theirs when they are made; whoever holds the flat vector owns the numbers, so a model's
/// parameters, gradients and optimizer moments are vectors of one length.
class ParameterLayout {
 public:
  struct Entry {
    std::string name;
    Slot slot;
    Index stack = 0;  ///< of so many matrices (or vectors) whose rows follow one another; 0: one
    bool operator==(const Entry&) const = default;
  };

  Slot add_matrix(std::string name, Index rows, Index cols) { return add(std::move(name), rows, cols); }
  Slot add_vector(std::string name, Index size) { return add(std::move(name), size, 0); }
  /// `stack` matrices (rows, cols), or vectors (rows,) with cols 0: a vector's are rows of one matrix. stack 0: one alone.
  Slot add_stack(std::string name, Index stack, Index rows, Index cols);

  Index size() const { return size_; }
  const std::vector<Entry>& entries() const { return entries_; }
  /// The slot of that name; throws InvalidArgument that lists the names.
  const Slot& at(const std::string& name) const;
  bool operator==(const ParameterLayout&) const = default;

 private:
  Slot add(std::string name, Index rows, Index cols, Index stack = 0);

  std::vector<Entry> entries_;
  Index size_ = 0;
};

/// The slot's numbers as a matrix, a row vector's as (1, size).
template <class T> Eigen::Map<const Matrix<T>> matrix_at(const Slot& slot, const Vector<T>& flat) {
  return {flat.data() + slot.offset, slot.cols ? slot.rows : 1, slot.cols ? slot.cols : slot.rows};
}
template <class T> Eigen::Map<Matrix<T>> matrix_at(const Slot& slot, Vector<T>& flat) {
  return {flat.data() + slot.offset, slot.cols ? slot.rows : 1, slot.cols ? slot.cols : slot.rows};
}

}  // namespace likewise::nn
