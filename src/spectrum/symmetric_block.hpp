// A symmetric matrix known by its products, and the solvers of its largest eigenpairs.
#pragma once

#include <functional>
#include <limits>
#include <memory>

#include <likewise/spectrum.hpp>

#include "engine/block_products.hpp"

namespace likewise::spectrum {

/// Columns side by side, as eigenvectors are kept here.
using Columns = Eigen::MatrixXd;

struct SymmetricBlock {
  Index size = 0;
  std::function<Columns(const Columns&)> product = {};  ///< A X for X (size, c)
  std::function<Columns()> dense = {};                  ///< A itself, O(size^2) memory
  /// A step of a filter in float32 for a panel of columns; the step's own A is not looked at.
  std::function<void(const engine::SparseStep<float>&)> step = {};
  /// Y = A X for row-major X and Y.
  std::function<void(const Matrix<double>&, Matrix<double>&)> row_product = {};
  Vector<double> trivial = {};  ///< the unit eigenvector of eigenvalue 1 = |A| where it is known, else empty
  double trivial_residual = 0;
  double noise = 1e-15;  ///< relative rounding error of a product
  /// The entries where few are not 0: exactly symmetric, rows sorted, neighbors near each other. Else null.
  std::shared_ptr<const SparseMatrix<double>> sparse = {};
  std::function<double()> squares = {};  ///< the sum of all squared entries; empty where they are not stored

  bool is_sparse() const { return sparse != nullptr; }
  /// Numbers that a product reads.
  double entries() const {
    return sparse ? static_cast<double>(sparse->nonZeros())
                  : static_cast<double>(size) * static_cast<double>(size);
  }
};

/// Unit vectors u with A u = w u, w descending, orthogonal to each other and to the trivial one, and |A u - w u|. A solver
/// may add pairs beyond those asked for, less exact: they tell how far from the others the next eigenvalues are.
struct Eigenpairs {
  Vector<double> values;
  Columns vectors;
  Vector<double> residuals;
  SpectrumReport report = {};
  double low = -std::numeric_limits<double>::infinity();  ///< about where the spectrum ends below, if known
};

/// The k largest eigenpairs of A beside the trivial one, k <= size (minus the trivial one): those of the first solver
/// whose answer is certified (`certificate.hpp`), else the best one with report.converged = false.
Eigenpairs largest_beside_trivial(const SymmetricBlock& A, Index k, const SpectrumOptions& options,
                                  const Execution& run);

/// All eigenpairs at once, O(size^3): exact multiplicities.
Eigenpairs dense_eigenpairs(const SymmetricBlock& A, Index k, const SpectrumOptions& options,
                            const Execution& run);
/// The columns that it works on.
Index chebyshev_width(Index k);

/// A bound of |A| for a matrix without negative entries: its largest row sum.
double norm_bound(const SymmetricBlock& A);
/// Residuals and distances between eigenvalues up to this count as none: tol, but no less than rounding leaves.
double absolute_tolerance(const SymmetricBlock& A, double norm, const SpectrumOptions& options);
/// Uniform in (-1/2, 1/2), the same on every platform.
Vector<double> random_start(Index n, std::uint64_t seed);
Columns random_columns(Index n, Index columns, std::uint64_t seed);

Columns side_by_side(const Columns& a, const Columns& b);
/// The trivial vector as a column, or none.
Columns trivial_column(const SymmetricBlock& A);
/// Rayleigh-Ritz: the `k` largest eigenpairs of A within the span of U's columns, outside the trivial vector, with their true
/// residuals.
Eigenpairs within_span(const SymmetricBlock& A, const Columns& U, Index k);

}  // namespace likewise::spectrum
