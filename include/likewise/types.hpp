// The arrays likewise speaks in: Eigen types, row-major like NumPy.
#pragma once

#include <concepts>
#include <type_traits>

#include <Eigen/Core>
#include <Eigen/SparseCore>

#include <likewise/link_check.hpp>

namespace likewise {

using Index = Eigen::Index;

/// A row-major matrix that owns its memory. DontAlign: it comes from malloc and goes back by free, whatever
/// instruction set, sanitizer or EIGEN_ macro a program is compiled with. Eigen's own MatrixXd is laid out and
/// freed differently under each of them, and could not be handed from the library to such a program.
template <class T>
using Matrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor | Eigen::DontAlign>;
template <class T> using Vector = Eigen::Matrix<T, Eigen::Dynamic, 1, Eigen::ColMajor | Eigen::DontAlign>;
using BoolMatrix = Matrix<bool>;

/// n x d points, a row a point, read without a copy from any row-major memory (a column-major argument is
/// copied).
template <class T> using Points = Eigen::Ref<const Matrix<T>>;
/// n x c value columns, any matrix of T: T is told by the call's other arguments.
template <class T> using Values = std::type_identity_t<Points<T>>;
/// A block of a (queries x keys) matrix that somebody fills.
template <class T> using Tile = Eigen::Ref<Matrix<T>, 0, Eigen::OuterStride<>>;
template <class T>
using RowRef = Eigen::Ref<const Eigen::Matrix<T, 1, Eigen::Dynamic, Eigen::RowMajor | Eigen::DontAlign>>;

/// Compressed rows (CSR); 32-bit indices as SciPy has them.
template <class T> using SparseMatrix = Eigen::SparseMatrix<T, Eigen::RowMajor, int>;

/// The first parameter of functions that deduce their scalar: f<double>(...) names one, and means the function of
/// Points<double>.
template <class S>
concept Unnamed = std::is_void_v<S>;

namespace detail {
template <class First, class... Others> struct CommonScalar {
  using type = typename First::Scalar;
  static constexpr bool real =
      std::is_floating_point_v<type> && (std::is_floating_point_v<typename Others::Scalar> && ...)
      && sizeof(type) <= sizeof(double);
  static constexpr bool same = (std::same_as<type, typename Others::Scalar> && ...);
  static_assert(real, "likewise takes matrices of float or double: convert others with .cast<double>().");
  static_assert(same,
                "All matrices of one call must hold the same scalar, float or double: convert with "
                ".cast<double>() or .cast<float>().");
};
}  // namespace detail

/// The one scalar, float or double, of the matrices of a call. Others do not compile, and are told why.
template <class... Matrices> using ScalarOf = typename detail::CommonScalar<Matrices...>::type;

}  // namespace likewise
