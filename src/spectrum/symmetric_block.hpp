// A symmetric matrix known by its products, and the solvers of its largest eigenpairs. Spectra stays behind
// it.
#pragma once

#include <functional>

#include <likewise/spectrum.hpp>

#include "engine/simd/block_products.hpp"

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
  double noise = 1e-15;         ///< relative rounding error of a product
  bool is_sparse = false;       ///< a product costs less than a pass over the columns of a Krylov basis
};

/// Unit vectors u with A u = w u, w descending, and |A u - w u|.
struct Eigenpairs {
  Vector<double> values;
  Columns vectors;
  Vector<double> residuals;
  IterationReport report = {};
};

/// The k largest eigenpairs of A beside the trivial one, k <= size (minus the trivial one).
Eigenpairs largest_beside_trivial(const SymmetricBlock& A, Index k, const SpectrumOptions& options,
                                  const Execution& run);

/// All eigenpairs at once, O(size^3): exact multiplicities.
Eigenpairs dense_eigenpairs(const SymmetricBlock& A, Index k, const Execution& run);
/// Implicitly restarted Lanczos in a deflated operator until nothing larger is left there.
Eigenpairs lanczos_eigenpairs(const SymmetricBlock& A, Index k, const SpectrumOptions& options,
                              const Execution& run);
/// Chebyshev-filtered iteration of a block wider than k, which holds every copy of a repeated eigenvalue. A must have
/// its step and row_product, and more rows than chebyshev_width(k).
Eigenpairs chebyshev_eigenpairs(const SymmetricBlock& A, Index k, const SpectrumOptions& options,
                                const Execution& run);

/// The columns that it works on.
Index chebyshev_width(Index k);

/// A bound of |A| for a matrix without negative entries: its largest row sum.
double norm_bound(const SymmetricBlock& A);
/// Uniform in (-1/2, 1/2), the same on every platform.
Vector<double> random_start(Index n, std::uint64_t seed);

}  // namespace likewise::spectrum
