// Which solvers for which block, in what order. Each one's answer is certified before it leaves; what cannot be goes to the
// next.
#include <algorithm>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include <likewise/error.hpp>

#include "spectrum/solvers.hpp"

namespace likewise::spectrum {

namespace {

// Up to the first size the whole matrix is as fast as an iteration; up to the second it takes over from a Lanczos
// iteration that does not end soon, which a dense spectrum near 1 does not (both measured). From the third on a block
// is filtered instead of single vectors where both can; a guess between problems where each was seen to win. Above the last one
// the whole matrix takes hours.
constexpr Index dense_up_to = 100, dense_soon_up_to = 400, lanczos_up_to = 2000, dense_at_all_up_to = 6000;
// Stored matrices with few zeros: up to this size their factorization is a matter of seconds.
constexpr Index full_factor_up_to = 4000;
constexpr int soon = 20;  // restarts

// Costs, in multiplications by the entries of A. A filtered block of 16 columns takes about so many where its
// eigenvalues are not crowded (measured: 2000 to 9000), counting by one factorization may cost a tenth of that.
constexpr double filtered = 6000, counted = 600;
// What a factorization may cost at most, in multiplications (a minute or two) ...
constexpr double most_operations = 1e11;
// ... and where its cost never matters.
constexpr double nothing = 1e7;

/// Two factorizations, one for the solver and one for the count, and about twenty systems of four columns.
double cost(const SparseFactor& factor) { return 2 * factor.operations() + 320 * factor.entries(); }

/// What solvers share: the places of a factorization's entries are found once, and only where they may be few.
struct Plan {
  const SymmetricBlock& A;
  Index k;
  const SpectrumOptions& options;
  const Execution& run;
  std::optional<SparseFactor> factor = {};

  bool factor_fits() const {
    const double bytes = 1.5 * factor->entries() * (sizeof(double) + sizeof(int));
    return factor->operations() <= most_operations
           && bytes <= 0.5 * static_cast<double>(run.memory_allowed());
  }
  /// Where it is likely to pay: few edges, or a graph that is long rather than wide.
  bool look_for_factor() {
    const double entries = A.entries(), n = static_cast<double>(A.size);
    if (entries > 8 * n && guessed_operations(*A.sparse) > filtered * entries + nothing) return false;
    factor.emplace(*A.sparse);
    return factor_fits();
  }
  SparseFactor* counts() {
    return factor && factor->operations() <= counted * A.entries() + nothing ? &*factor : nullptr;
  }

  Eigenpairs dense() { return dense_eigenpairs(A, k, options, run); }
  Eigenpairs lanczos(int max_iter) { return lanczos_eigenpairs(A, k, counts(), with_limit(max_iter), run); }
  Eigenpairs chebyshev(int max_iter) {
    return chebyshev_eigenpairs(A, k, counts(), with_limit(max_iter), run);
  }
  Eigenpairs shift_invert() {
    if (!factor) factor.emplace(A.sparse ? *A.sparse : SparseMatrix<double>(A.dense().sparseView()));
    return shift_invert_eigenpairs(A, k, *factor, options, run);
  }

 private:
  SpectrumOptions with_limit(int max_iter) const {
    SpectrumOptions limited = options;
    limited.max_iter = std::min(options.max_iter, max_iter);
    return limited;
  }
};

using Solver = std::function<Eigenpairs()>;
constexpr int no_limit = std::numeric_limits<int>::max();

/// Long graphs have crowded eigenvalues and little fill: there a factorization; elsewhere a filter, and if that does not
/// end before it has cost as much as a dearer factorization, that one.
std::vector<Solver> sparse_solvers(Plan& plan) {
  const SymmetricBlock& A = plan.A;
  const bool filter_fits = 4 * chebyshev_width(plan.k) < A.size;
  const auto iterate = [&plan, filter_fits](int max_iter) -> Solver {
    const bool filters = filter_fits && plan.A.size > lanczos_up_to;
    return [&plan, filters, max_iter] { return filters ? plan.chebyshev(max_iter) : plan.lanczos(max_iter); };
  };
  const bool fits = plan.look_for_factor();
  if (fits && cost(*plan.factor) <= filtered * A.entries() + nothing)
    return {[&] { return plan.shift_invert(); }, iterate(no_limit)};

  const double operations = plan.factor ? cost(*plan.factor) : 2 * guessed_operations(*A.sparse);
  constexpr double round = 40 * 16;  // products with a column in a round, or so
  const double rounds = std::clamp(operations / (round * A.entries()), 30.0, 1e6);
  const auto late = [&plan, &A]() -> Eigenpairs {
    if (!plan.factor) plan.factor.emplace(*A.sparse);
    if (!plan.factor_fits()) throw NotConverged("a factorization would take too long");
    return plan.shift_invert();
  };
  return {iterate(static_cast<int>(rounds)), late, iterate(no_limit)};
}

/// Where products are dear and eigenvalues mostly fall fast.
std::vector<Solver> full_solvers(Plan& plan) {
  const Index n = plan.A.size;
  const Solver lanczos = [&] { return plan.lanczos(no_limit); };
  const Solver shortly = [&plan, n] { return plan.lanczos(std::max(soon, static_cast<int>(n / 30))); };
  if (n <= dense_soon_up_to) return {shortly};
  if (n <= full_factor_up_to) return {shortly, [&] { return plan.shift_invert(); }};
  return {lanczos};
}

std::vector<Solver> solvers_in_order(Plan& plan) {
  const SymmetricBlock& A = plan.A;
  const Solver dense = [&] { return plan.dense(); };
  const bool few = 4 * (plan.k + 1) < A.size;
  const std::string& asked = plan.options.solver;
  if (asked == "dense" || !few) return {dense};
  if (asked == "shift_invert") return {[&] { return plan.shift_invert(); }};
  if (asked == "chebyshev" && chebyshev_width(plan.k) < A.size)
    return {[&] { return plan.chebyshev(no_limit); }};
  if (asked != "auto") return {[&] { return plan.lanczos(no_limit); }};

  if (A.size <= dense_up_to) return {dense};
  std::vector<Solver> solvers = A.is_sparse() ? sparse_solvers(plan) : full_solvers(plan);
  if (A.size <= dense_at_all_up_to) solvers.push_back(dense);
  return solvers;
}

}  // namespace

Eigenpairs largest_beside_trivial(const SymmetricBlock& A, Index k, const SpectrumOptions& options,
                                  const Execution& run) {
  Plan plan{A, k, options, run};
  std::optional<Eigenpairs> best;
  const std::vector<Solver> solvers = solvers_in_order(plan);
  for (std::size_t s = 0; s < solvers.size(); ++s) {
    const bool is_last = s + 1 == solvers.size();
    try {
      Eigenpairs pairs = solvers[s]();
      if (pairs.report.converged) return pairs;
      if (!best || pairs.residuals.head(k).maxCoeff() < best->residuals.head(k).maxCoeff())
        best = std::move(pairs);
    } catch (const NotConverged&) {
      if (is_last && !best) throw;
    } catch (const MemoryLimitError&) {
      if (is_last && !best) throw;
    }
  }
  return std::move(*best);
}

}  // namespace likewise::spectrum
