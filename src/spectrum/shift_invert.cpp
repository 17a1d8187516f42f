// Lanczos in the inverse of shift I - A: the largest eigenvalues of A, however close to each other, lie far apart there.
#include <algorithm>
#include <cmath>

#include <likewise/error.hpp>

#include "engine/call.hpp"
#include "engine/parallel.hpp"
#include "spectrum/solvers.hpp"

namespace likewise::spectrum {

namespace {

/// Just above the largest eigenvalue that is not known, relative to the norm: closer lets fewer steps do where eigenvalues are
/// crowded, but what is closest then drowns the others in rounding.
constexpr double far = 1e-8, close = 1e-12;

/// The largest eigenvalue from above, roughly. The bound of the norm may be far from it where there is no trivial vector.
double upper_end(const SymmetricBlock& A, double norm, SparseFactor& factor) {
  if (A.trivial.size()) return norm;
  const KrylovPairs top =
      largest_by_krylov(A.product, Columns(A.size, 0), Columns(A.size, 0),
                        {.k = 1, .tolerance = [norm](double) { return 1e-6 * norm; }, .max_restarts = 3});
  const double end = top.values(0) + 1e-5 * norm;
  return end < norm && factor.factorize(end) && factor.inertia().above == 0 ? end : norm;
}

}  // namespace

Eigenpairs shift_invert_eigenpairs(const SymmetricBlock& A, Index k, SparseFactor& factor,
                                   const SpectrumOptions& options, const Execution& run) {
  run.require_memory(1.5 * factor.entries() * (sizeof(double) + sizeof(int)), "a sparse factorization",
                     "use solver='lanczos'");
  const double norm = norm_bound(A), end = upper_end(A, norm, factor);
  // A good deal less than what was asked for costs a step or two.
  const double tol = std::min(0.25 * absolute_tolerance(A, norm, options), 1e-11 * norm);
  Execution quiet = run;
  quiet.progress = {};
  Index n_products = 0;
  Eigenpairs pairs;
  for (const double distance : {far, close}) {
    const double shift = end + distance * norm;
    const auto solve = [&](const Columns& X) {
      const double done = static_cast<double>(++n_products);
      engine::report(run, done / (done + 20), "eigenpairs");
      Columns Y;
      engine::parallel_blocks(1, quiet, "eigenpairs", [&](Index) { Y = factor.solve(X); });
      return Y;
    };
    const Search search = [&](const Columns& known, const Columns& start, Index wanted, int max_restarts) {
      if (!factor.factorize(shift)) throw NotConverged("shift I - A has no factorization");
      KrylovPairs found = largest_by_krylov(
          solve, known, start,
          {.k = wanted,
           // (shift I - A)^-1 u = t u + r gives A u = (shift - 1/t) u + (shift I - A) r / t.
           .tolerance = [&](double t) { return t > 0 ? tol * t / (2 * norm) : 0.0; },
           .max_restarts = std::min(max_restarts, 40)});
      found.low = -norm;
      return found;
    };
    pairs = complete(A, k, search, &factor, "shift_invert", options, run);
    if (pairs.report.converged) break;
  }
  return pairs;
}

}  // namespace likewise::spectrum
