// Lanczos in the operator itself.
#include <Eigen/QR>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "engine/call.hpp"
#include "spectrum/solvers.hpp"
#include "symmetric_eigen.hpp"

namespace likewise::spectrum {

Columns side_by_side(const Columns& a, const Columns& b) {
  Columns both(std::max(a.rows(), b.rows()), a.cols() + b.cols());
  if (a.cols()) both.leftCols(a.cols()) = a;
  if (b.cols()) both.rightCols(b.cols()) = b;
  return both;
}

Columns trivial_column(const SymmetricBlock& A) {
  return A.trivial.size() ? Columns(A.trivial) : Columns(A.size, 0);
}

Eigenpairs within_span(const SymmetricBlock& A, const Columns& U, Index k) {
  Columns outside = U;
  if (A.trivial.size()) outside -= A.trivial * (A.trivial.transpose() * U);
  const Columns Q =
      Eigen::HouseholderQR<Columns>(outside).householderQ() * Columns::Identity(U.rows(), U.cols());
  const Columns AQ = A.product(Q), T = Q.transpose() * AQ;
  const SymmetricEigen ritz(0.5 * (T + T.transpose()));
  const Columns E = ritz.eigenvectors().rightCols(k).rowwise().reverse();
  Eigenpairs pairs{ritz.eigenvalues().tail(k).reverse(), Q * E, {}, {}};
  pairs.residuals = (AQ * E - pairs.vectors * pairs.values.asDiagonal()).colwise().norm();
  return pairs;
}

double norm_bound(const SymmetricBlock& A) {
  if (A.trivial.size()) return 1;
  return std::max(A.product(Columns::Ones(A.size, 1)).maxCoeff(), std::numeric_limits<double>::min());
}

double absolute_tolerance(const SymmetricBlock& A, double norm, const SpectrumOptions& options) {
  const double rounding = 4 * std::numeric_limits<double>::epsilon() * std::sqrt(static_cast<double>(A.size));
  return std::max({options.tol, 4 * A.noise, rounding}) * norm;
}

Vector<double> random_start(Index n, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  return Vector<double>::NullaryExpr(
      n, [&] { return std::ldexp(static_cast<double>(random() >> 11), -53) - 0.5; });
}

Columns random_columns(Index n, Index columns, std::uint64_t seed) {
  const Vector<double> numbers = random_start(n * columns, seed);
  return Eigen::Map<const Columns>(numbers.data(), n, columns);
}

Eigenpairs lanczos_eigenpairs(const SymmetricBlock& A, Index k, SparseFactor* counts,
                              const SpectrumOptions& options, const Execution& run) {
  const double tol = absolute_tolerance(A, norm_bound(A), options);
  Index n_products = 0;
  const auto product = [&](const Columns& X) {
    // How many products it will take is not known: a fraction that grows ever slower.
    const double done = static_cast<double>(++n_products);
    engine::report(run, done / (done + 20), "eigenpairs");
    return A.product(X);
  };
  const Search search = [&](const Columns& known, const Columns& start, Index wanted, int max_restarts) {
    return largest_by_krylov(
        product, known, start,
        {.k = wanted, .tolerance = [tol](double) { return 0.5 * tol; }, .max_restarts = max_restarts});
  };
  return complete(A, k, search, counts, "lanczos", options, run);
}

}  // namespace likewise::spectrum
