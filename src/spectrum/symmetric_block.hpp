// A symmetric matrix known by its products, and the solvers of its largest eigenpairs. Spectra stays behind
// it.
#pragma once

#include <functional>

#include <likewise/spectrum.hpp>

namespace likewise::spectrum {

/// Columns side by side, as eigenvectors are kept here.
using Columns = Eigen::MatrixXd;

struct SymmetricBlock {
  Index size = 0;
  std::function<Columns(const Columns&)> product;  ///< A X for X (size, c)
  std::function<Columns()> dense;                  ///< A itself, O(size^2) memory
  Vector<double> trivial = {};  ///< the unit eigenvector of eigenvalue 1 = |A| where it is known, else empty
  double noise = 1e-15;         ///< relative rounding error of a product
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

}  // namespace likewise::spectrum
