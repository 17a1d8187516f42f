// The arrays likewise speaks in: Eigen types, row-major like NumPy.
#pragma once

#include <Eigen/Core>
#include <Eigen/SparseCore>

namespace likewise {

using Index = Eigen::Index;

/// A row-major matrix that owns its memory.
template <class T> using Matrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
template <class T> using Vector = Eigen::Matrix<T, Eigen::Dynamic, 1>;
using BoolMatrix = Matrix<bool>;

/// n x d points, a row a point, read without a copy from any row-major memory (a column-major argument is
/// copied).
template <class T> using Points = Eigen::Ref<const Matrix<T>>;
/// n x c value columns.
template <class T> using Values = Points<T>;
/// A block of a (queries x keys) matrix that somebody fills.
template <class T> using Tile = Eigen::Ref<Matrix<T>, 0, Eigen::OuterStride<>>;
template <class T> using RowRef = Eigen::Ref<const Eigen::Matrix<T, 1, Eigen::Dynamic>>;

/// Compressed rows (CSR); 32-bit indices as SciPy has them.
template <class T> using SparseMatrix = Eigen::SparseMatrix<T, Eigen::RowMajor, int>;

}  // namespace likewise
