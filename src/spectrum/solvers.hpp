// The solvers that certify what they find. A Krylov search may miss copies of eigenvalues: it is repeated outside of what it
// found until the count is certified.
#pragma once

#include <functional>

#include "spectrum/krylov.hpp"
#include "spectrum/sparse_factor.hpp"

namespace likewise::spectrum {

/// Looks for the `k` largest eigenpairs outside the span of `known`, from `start`, with at most `max_restarts`.
using Search =
    std::function<KrylovPairs(const Columns& known, const Columns& start, Index k, int max_restarts)>;

/// The k largest eigenpairs by `search`, with the certificate in the report, or converged = false.
Eigenpairs complete(const SymmetricBlock& A, Index k, const Search& search, SparseFactor* counts,
                    const std::string& name, const SpectrumOptions& options, const Execution& run);

/// Lanczos in A itself.
Eigenpairs lanczos_eigenpairs(const SymmetricBlock& A, Index k, SparseFactor* counts,
                              const SpectrumOptions& options, const Execution& run);
/// Lanczos in (shift I - A)^-1, the shift just above the spectrum: few steps however close its eigenvalues are to each
/// other. `factor` is of A's entries.
Eigenpairs shift_invert_eigenpairs(const SymmetricBlock& A, Index k, SparseFactor& factor,
                                   const SpectrumOptions& options, const Execution& run);

/// Chebyshev-filtered iteration of a block wider than k, which holds every copy of a repeated eigenvalue. A must have
/// its step and row_product, and more rows than chebyshev_width(k).
Eigenpairs chebyshev_eigenpairs(const SymmetricBlock& A, Index k, SparseFactor* counts,
                                const SpectrumOptions& options, const Execution& run);

}  // namespace likewise::spectrum
