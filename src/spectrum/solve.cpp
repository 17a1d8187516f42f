// Which solver for which block.
#include <algorithm>
#include <string>

#include <likewise/error.hpp>

#include "spectrum/symmetric_block.hpp"

namespace likewise::spectrum {

namespace {

// Up to the first size the whole matrix is as fast as an iteration; up to the second it takes over from a Lanczos
// iteration that does not end soon, which a dense spectrum near 1 does not (both measured). The third, from which a block
// is filtered instead of single vectors, is a guess between problems where each was seen to win.
constexpr Index dense_up_to = 100, dense_again_up_to = 400, lanczos_up_to = 2000;
constexpr int soon = 20;  // restarts

/// A sparse block is filtered; where products are dear and eigenvalues fall fast, Lanczos needs fewer of them.
std::string best_solver(const SymmetricBlock& A, Index k) {
  if (A.size <= dense_up_to) return "dense";
  const bool fits = 4 * chebyshev_width(k) < A.size;
  return A.is_sparse && A.size > lanczos_up_to && fits ? "chebyshev" : "lanczos";
}

/// Lanczos where it ends soon, else the whole matrix: either way exact.
Eigenpairs small_eigenpairs(const SymmetricBlock& A, Index k, const SpectrumOptions& options,
                            const Execution& run) {
  SpectrumOptions few = options;
  few.max_iter = std::min(options.max_iter, soon);
  try {
    Eigenpairs pairs = lanczos_eigenpairs(A, k, few, run);
    if (pairs.report.converged) return pairs;
  } catch (const NotConverged&) {
    // It broke down; the other way does not.
  }
  return dense_eigenpairs(A, k, run);
}

}  // namespace

Eigenpairs largest_beside_trivial(const SymmetricBlock& A, Index k, const SpectrumOptions& options,
                                  const Execution& run) {
  const bool few = 4 * (k + 1) < A.size;
  const std::string solver = options.solver == "auto" ? best_solver(A, k) : options.solver;
  if (solver == "dense" || !few) return dense_eigenpairs(A, k, run);
  if (options.solver == "auto" && A.size <= dense_again_up_to) return small_eigenpairs(A, k, options, run);
  if (solver == "chebyshev" && chebyshev_width(k) < A.size) {
    SpectrumOptions rounds = options;
    if (options.solver == "auto") rounds.max_iter = std::min(options.max_iter, 100);
    Eigenpairs pairs = chebyshev_eigenpairs(A, k, rounds, run);
    if (pairs.report.converged || options.solver == "chebyshev") return pairs;
  }
  return lanczos_eigenpairs(A, k, options, run);
}

}  // namespace likewise::spectrum
