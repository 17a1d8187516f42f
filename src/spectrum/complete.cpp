#include "spectrum/solvers.hpp"

#include <algorithm>
#include <numeric>
#include <vector>

#include "spectrum/certificate.hpp"

namespace likewise::spectrum {

namespace {

/// What the columns of `better` have outside of `found`, the longest first.
Columns new_directions(const Columns& better, const Columns& found) {
  const Columns outside = better - found * (found.transpose() * better);
  std::vector<Index> order(static_cast<std::size_t>(outside.cols()));
  std::iota(order.begin(), order.end(), 0);
  const Vector<double> lengths = outside.colwise().norm();
  std::sort(order.begin(), order.end(), [&](Index a, Index b) { return lengths(a) > lengths(b); });
  return outside(Eigen::all, order);
}

}  // namespace

Eigenpairs complete(const SymmetricBlock& A, Index k, const Search& search, SparseFactor* counts,
                    const std::string& name, const SpectrumOptions& options, const Execution& run) {
  const Columns trivial = trivial_column(A);
  const double tol = absolute_tolerance(A, norm_bound(A), options);
  Columns found(A.size, 0), start(A.size, 0);
  Eigenpairs pairs;
  SpectrumReport report{{.n_iter = 0, .converged = false, .solver = name}};
  double low = -std::numeric_limits<double>::infinity();
  Index wanted = k, n_exact = -1;
  // Each round finds at least one pair that was missing, or makes one exact that was not.
  while (report.n_iter < options.max_iter) {
    const KrylovPairs more =
        search(side_by_side(trivial, found), start, wanted, options.max_iter - report.n_iter);
    report.n_iter += std::max(1, more.n_restarts);
    if (found.cols() == 0) low = more.low;
    const Columns space = side_by_side(found, more.vectors);
    pairs = within_span(A, space, std::min(k + krylov_columns, space.cols()));
    pairs.low = low;
    if (pairs.values.size() < k) break;  // the search ran out of directions: never with k <= size
    const Certificate certificate = certify(A, k, pairs, counts, options, run);
    report.converged = !certificate.name.empty();
    report.certificate = certificate.name;
    if (report.converged) break;
    if (certificate.residuals_hold) {
      if (certificate.n_missing == 0) break;
      found = pairs.vectors.leftCols(k);
      start = certificate.missing.cols() ? new_directions(certificate.missing, found) : Columns(A.size, 0);
      wanted = std::min(certificate.n_missing, k);
      n_exact = -1;
      continue;
    }
    // Pairs that are exact stay; the others are where the search goes on.
    Index exact = 0;
    while (exact < k && pairs.residuals(exact) <= tol) ++exact;
    if (exact <= n_exact) break;
    n_exact = exact;
    found = pairs.vectors.leftCols(exact);
    start = pairs.vectors.rightCols(pairs.vectors.cols() - exact);
    wanted = k - exact;
    if (wanted == 0) break;  // exact, yet not orthogonal: another solver's turn
  }
  pairs.report = report;
  return pairs;
}

}  // namespace likewise::spectrum
