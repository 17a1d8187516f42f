// Whether eigenpairs may leave: their true residuals, and a count of all eigenvalues above the least of them.
#pragma once

#include <string>

#include "spectrum/sparse_factor.hpp"
#include "spectrum/symmetric_block.hpp"

namespace likewise::spectrum {

/// `name` is one of those that SpectrumOptions lists, or "" where nothing certifies the pairs.
struct Certificate {
  std::string name = {};
  bool residuals_hold = true;
  Index n_missing = 0;   ///< at least so many eigenvalues are above the k-th pair and not among the pairs
  Columns missing = {};  ///< a better space of k columns, or none
};

/// Of the first k pairs. `factor` is null where counting by it is not cheap; it holds other numbers afterwards.
Certificate certify(const SymmetricBlock& A, Index k, const Eigenpairs& pairs, SparseFactor* factor,
                    const SpectrumOptions& options, const Execution& run);

/// The name that says less; "" says least.
std::string weaker(const std::string& a, const std::string& b);

/// Random columns outside the pairs, filtered until an eigenvalue above the k-th would stand out by far: the space of
/// such eigenvalues, no columns where there is none.
Columns probe(const SymmetricBlock& A, Index k, const Eigenpairs& pairs, double norm, double tol,
              const Execution& run);

}  // namespace likewise::spectrum
