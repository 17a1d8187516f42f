// Spectra's implicitly restarted Lanczos method on a deflated operator.
#include <Spectra/SymEigsSolver.h>
#include <Eigen/QR>

#include <algorithm>
#include <cmath>
#include <random>
#include <stdexcept>
#include <string>

#include <likewise/error.hpp>

#include "engine/call.hpp"
#include "spectrum/symmetric_block.hpp"
#include "symmetric_eigen.hpp"

namespace likewise::spectrum {

namespace {

/// (I - U U^T) A (I - U U^T) + |A| (I - 2 U U^T) as Spectra sees an operator: what is known (U) lies at the
/// lower end, and eigenvalues of the rest are shifted by |A|, so that Spectra's relative tolerance is one of
/// |A|.
class DeflatedOperator {
 public:
  using Scalar = double;

  DeflatedOperator(const SymmetricBlock& A, double norm, const Columns& known, Index basis_size,
                   const Execution& run)
      : A_(A), norm_(norm), known_(known), basis_size_(basis_size), run_(run) {}

  Index rows() const { return A_.size; }
  Index cols() const { return A_.size; }
  void perform_op(const double* x_in, double* y_out) const {
    const Eigen::Map<const Vector<double>> x(x_in, A_.size);
    Eigen::Map<Vector<double>> y(y_out, A_.size);
    const Vector<double> inside = known_ * (known_.transpose() * x);
    y = A_.product(x - inside);
    y -= (known_ * (known_.transpose() * y)).eval();
    y += norm_ * (x - 2 * inside);
    report();
  }

 private:
  /// How many products it will take is not known: a fraction that grows ever slower.
  void report() const {
    ++n_products_;
    const double done = static_cast<double>(n_products_);
    engine::report(run_, done / (done + static_cast<double>(basis_size_)), "eigenpairs");
  }

  const SymmetricBlock& A_;
  double norm_;
  const Columns& known_;
  Index basis_size_;
  const Execution& run_;
  mutable Index n_products_ = 0;
};

/// Spectra's own failures, where its small tridiagonal problem does not converge, become ours; stops pass.
template <class Solver> void compute(Solver& solver, int max_iter, double tol) {
  try {
    solver.compute(Spectra::SortRule::LargestAlge, max_iter, tol);
  } catch (const Interrupted&) {
    throw;
  } catch (const MemoryLimitError&) {
    throw;
  } catch (const std::runtime_error& failure) {
    throw NotConverged(std::string("Lanczos broke down: ") + failure.what());
  }
}

/// The k largest eigenpairs of A outside the span of the known ones. Without convergence the best there is.
Eigenpairs outside(const SymmetricBlock& A, double norm, const Columns& known, Index k, double tol,
                   int max_iter, const Execution& run) {
  const Index basis_size = std::min(A.size, std::max<Index>(2 * k + 20, 40));
  DeflatedOperator deflated(A, norm, known, basis_size, run);
  Spectra::SymEigsSolver<DeflatedOperator> solver(deflated, k, basis_size);
  Vector<double> start = random_start(A.size, 1 + static_cast<std::uint64_t>(known.cols()));
  start -= (known * (known.transpose() * start)).eval();
  solver.init(start.data());
  compute(solver, max_iter, tol);
  const bool converged = solver.info() == Spectra::CompInfo::Successful;
  // Spectra hands out converged pairs only: without convergence everything is declared to be.
  if (!converged) compute(solver, 1, std::numeric_limits<double>::max());
  return {solver.eigenvalues().array() - norm,
          solver.eigenvectors(),
          {},
          {.n_iter = static_cast<int>(solver.num_iterations()), .converged = converged, .solver = "lanczos"}};
}

Columns side_by_side(const Columns& a, const Columns& b) {
  Columns both(a.rows(), a.cols() + b.cols());
  both << a, b;
  return both;
}

/// Rayleigh-Ritz: the k largest eigenpairs of A within the span of U, with their residuals.
Eigenpairs within_span(const SymmetricBlock& A, const Columns& U, Index k) {
  const Columns Q = Eigen::HouseholderQR<Columns>(U).householderQ() * Columns::Identity(U.rows(), U.cols());
  const Columns AQ = A.product(Q), T = Q.transpose() * AQ;
  const SymmetricEigen ritz(0.5 * (T + T.transpose()));
  const Columns E = ritz.eigenvectors().rightCols(k).rowwise().reverse();
  Eigenpairs pairs{ritz.eigenvalues().tail(k).reverse(), Q * E, {}, {}};
  pairs.residuals = (AQ * E - pairs.vectors * pairs.values.asDiagonal()).colwise().norm();
  return pairs;
}

double kth_largest(Vector<double> values, Index k) {
  std::sort(values.begin(), values.end(), std::greater<>());
  return values(k - 1);
}

}  // namespace

double norm_bound(const SymmetricBlock& A) {
  if (A.trivial.size()) return 1;
  return std::max(A.product(Columns::Ones(A.size, 1)).maxCoeff(), std::numeric_limits<double>::min());
}

Vector<double> random_start(Index n, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  return Vector<double>::NullaryExpr(
      n, [&] { return std::ldexp(static_cast<double>(random() >> 11), -53) - 0.5; });
}

Eigenpairs lanczos_eigenpairs(const SymmetricBlock& A, Index k, const SpectrumOptions& options,
                              const Execution& run) {
  const double norm = norm_bound(A);
  const double tol = std::max(options.tol, 4 * A.noise);
  const Columns trivial = A.trivial.size() ? Columns(A.trivial) : Columns(A.size, 0);
  Eigenpairs found = outside(A, norm, trivial, k, tol, options.max_iter, run);

  // A Krylov space holds one vector of each eigenspace: copies of a repeated eigenvalue are only in the
  // deflated operator, one more each time. Looked for with a loose tolerance first, as mostly there is
  // nothing.
  for (Index round = 0; round <= k && found.report.converged; ++round) {
    const Columns known = side_by_side(trivial, found.vectors);
    if (known.cols() + 1 >= A.size) break;
    const double least = kth_largest(found.values, k), loose = std::max(tol, std::sqrt(options.tol));
    if (outside(A, norm, known, 1, loose, options.max_iter, run).values(0) + 2 * loose * norm < least) break;
    const Eigenpairs missed = outside(A, norm, known, 1, tol, options.max_iter, run);
    found.report.n_iter += missed.report.n_iter;
    if (!(missed.values(0) > least + 10 * tol * norm)) break;
    found.report.converged = missed.report.converged;
    found.vectors = side_by_side(found.vectors, missed.vectors);
    found.values.conservativeResize(found.values.size() + 1);
    found.values.tail(1) = missed.values;
  }
  Eigenpairs pairs = within_span(A, found.vectors, k);
  pairs.report = found.report;
  return pairs;
}

}  // namespace likewise::spectrum
