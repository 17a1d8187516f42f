// Chebyshev-filtered block iteration (Zhou, Saad, Tiago and Chelikowsky 2006): filter in float32, Rayleigh-Ritz and
// residuals in float64.
#include <algorithm>
#include <cmath>
#include <limits>

#include "spectrum/certificate.hpp"
#include "spectrum/chebyshev_filter.hpp"
#include "spectrum/solvers.hpp"
#include "symmetric_eigen.hpp"

namespace likewise::spectrum {

namespace {

Index rounded_up(Index columns) {
  return engine::block_count(columns, engine::column_multiple) * engine::column_multiple;
}

/// Takes the trivial eigenvector out of the columns.
void deflate(const SymmetricBlock& A, Matrix<double>& V, const Execution& run) {
  if (A.trivial.size() == 0) return;
  Matrix<double> parts = Matrix<double>::Zero(row_blocks(A.size), V.cols());
  const Vector<double>& t = A.trivial;
  over_rows(A.size, run, [&](engine::Block rows, Index b) {
    parts.row(b) = t.segment(rows.begin, rows.size).transpose() * V.middleRows(rows.begin, rows.size);
  });
  const Eigen::RowVectorXd inside = parts.colwise().sum();
  over_rows(A.size, run, [&](engine::Block rows, Index) {
    V.middleRows(rows.begin, rows.size) -= t.segment(rows.begin, rows.size) * inside;
  });
}

/// From a few Lanczos steps: a bound below the whole spectrum, and the second largest Ritz value.
Interval first_interval(const SymmetricBlock& A, double norm) {
  const Index n_steps = std::min<Index>(10, A.size - 1);
  Columns Q(A.size, n_steps), T = Columns::Zero(n_steps, n_steps);
  Vector<double> w = random_start(A.size, 7);
  double beta = 0;
  Index done = 0;
  while (done < n_steps) {
    if (A.trivial.size()) w -= A.trivial * A.trivial.dot(w);
    beta = w.norm();
    if (done > 0) {
      if (beta <= 1e-12 * norm) break;
      T(done, done - 1) = T(done - 1, done) = beta;
    }
    Q.col(done) = w / beta;
    w = A.product(Q.col(done));
    T(done, done) = Q.col(done).dot(w);
    ++done;
    w -= (Q.leftCols(done) * (Q.leftCols(done).transpose() * w)).eval();
  }
  const SymmetricEigen ritz(T.topLeftCorner(done, done));
  const double slack = w.norm() * std::abs(ritz.eigenvectors()(done - 1, 0));
  const double low = std::max(-norm, ritz.eigenvalues()(0) - slack);
  return {low, std::max(ritz.eigenvalues()(std::max<Index>(0, done - 2)), low + 1e-3 * norm)};
}

/// The largest Ritz pairs of the span of V: coefficients in V, and values. Directions that rounding cannot tell from
/// the others are left out: columns of 0 at the end, with the value `low`. All of them are where V holds no numbers.
struct Projected {
  Matrix<double> coefficients;
  Vector<double> values;
  Index rank;
};
Projected project(const Columns& gram, const Columns& image, double low) {
  const Index m = gram.rows();
  Projected p{Matrix<double>::Zero(m, m), Vector<double>::Constant(m, low), 0};
  if (!gram.allFinite() || !image.allFinite()) return p;
  const Vector<double> scale = gram.diagonal().array().max(std::numeric_limits<double>::min()).rsqrt();
  const SymmetricEigen span(scale.asDiagonal() * gram * scale.asDiagonal());
  const Index rank = (span.eigenvalues().array() > 1e-13 * std::max(span.eigenvalues()(m - 1), 1e-3)).count();
  if (rank == 0) return p;
  const Vector<double> whiten = span.eigenvalues().tail(rank).array().rsqrt();
  const Columns basis = scale.asDiagonal() * span.eigenvectors().rightCols(rank) * whiten.asDiagonal();
  const Columns inner = basis.transpose() * image * basis;
  const SymmetricEigen ritz(0.5 * (inner + inner.transpose()));
  p.rank = rank;
  p.values.setConstant(ritz.eigenvalues()(0));
  p.coefficients.leftCols(rank) = basis * ritz.eigenvectors().rowwise().reverse();
  p.values.head(rank) = ritz.eigenvalues().reverse();
  return p;
}

void rayleigh_ritz(const SymmetricBlock& A, Ritz& ritz, double low, const Execution& run, bool again = true) {
  const Index n = ritz.V.rows(), m = ritz.V.cols();
  A.row_product(ritz.V, ritz.AV);
  const Projected p =
      project(engine::tall_gram(ritz.V, ritz.V, run), engine::tall_gram(ritz.V, ritz.AV, run), low);
  ritz.values = p.values;
  Matrix<double> V(n, m), AV(n, m), squares(row_blocks(n), m);
  over_rows(n, run, [&](engine::Block rows, Index b) {
    engine::tall_times_small(ritz.V, p.coefficients, V, rows);
    engine::tall_times_small(ritz.AV, p.coefficients, AV, rows);
    const auto v = V.middleRows(rows.begin, rows.size), Av = AV.middleRows(rows.begin, rows.size);
    squares.row(b) = (Av - v * p.values.asDiagonal()).colwise().squaredNorm();
  });
  ritz.V.swap(V);
  ritz.AV.swap(AV);
  ritz.residuals = squares.colwise().sum().cwiseSqrt().transpose();
  if (p.rank == m) return;
  for (Index j = p.rank; j < m; ++j) ritz.V.col(j) = random_start(n, static_cast<std::uint64_t>(1000 + j));
  deflate(A, ritz.V, run);
  // A filter that sends all columns to few vectors would do so again: the new ones have their own values now.
  if (again) return rayleigh_ritz(A, ritz, low, run, false);
  A.row_product(ritz.V, ritz.AV);
  ritz.residuals.tail(m - p.rank).setConstant(std::numeric_limits<double>::infinity());
}

/// A block of random columns, filtered.
Ritz random_block(const SymmetricBlock& A, Index m, const Interval& interval, double norm,
                  ChebyshevFilter& filter, const Execution& run) {
  constexpr double contrast = 1e4;  // more, and all columns would be one
  const Vector<double> start = random_start(A.size * m, 1);
  Ritz ritz{Eigen::Map<const Matrix<double>>(start.data(), A.size, m), Matrix<double>(A.size, m), {}, {}};
  deflate(A, ritz.V, run);
  const double degree = std::log(contrast) / std::max(interval.growth(norm), 1e-9);
  filter.plain(ritz.V, interval, static_cast<Index>(std::clamp(degree, 1.0, 40.0)));
  return ritz;
}

/// All that is wanted is found, and what comes next is known well enough to be no part of it.
bool is_converged(const Ritz& ritz, Index k, double tol, double loose) {
  if (!(ritz.residuals.head(k).maxCoeff() <= tol)) return false;
  return ritz.residuals(k) <= loose || ritz.values(k) + ritz.residuals(k) < ritz.values(k - 1);
}

/// What the filter keeps small ends at the last Ritz value: it is below that many eigenvalues, so that nothing wanted is
/// inside. Where the block ends within a repeated eigenvalue, the end moves below it.
double upper_end(const Ritz& ritz, Index k, double low, double norm) {
  const Index last = ritz.values.size() - 1;
  double slack = std::isfinite(ritz.residuals(last)) ? ritz.residuals(last) : 0;
  if (ritz.values(k - 1) - ritz.values(last) <= ritz.residuals.head(k).maxCoeff())
    slack = std::max(slack, 0.01 * (ritz.values(0) - low));
  return std::max(ritz.values(last) - slack, low + 1e-6 * norm);
}

constexpr double most_products = 80;

/// The first pairs, as many as are found, that would outgrow the k-th.
Index outgrowing(const Ritz& ritz, Index found, Index k, const Interval& interval) {
  const double least = interval.growth(ritz.values(k - 1)) + std::log(1e3) / most_products;
  Index first = 0;
  while (first < found && interval.growth(ritz.values(first)) > least) ++first;
  return first;
}

/// Enough for the k-th pair if all goes well, but no more than what keeps the columns from `first` on apart.
Index next_degree(const Ritz& ritz, Index first, Index k, const Interval& interval, double tol) {
  constexpr double contrast = 1e6;
  const double wanted = interval.growth(ritz.values(k - 1)), top = interval.growth(ritz.values(first));
  const double to_gain = std::log(std::max(ritz.residuals.head(k).maxCoeff() / tol, 10.0)) + 1;
  const double degree =
      std::min(to_gain / std::max(wanted, 1e-3), std::log(contrast) / std::max(top - wanted, 1e-9));
  return static_cast<Index>(std::clamp(degree + 1, 2.0, most_products));
}

/// The k wanted pairs, and those beyond them that are not just random columns.
Eigenpairs pairs_of(const Ritz& ritz, Index k, const Interval& interval) {
  const Index rank = std::max<Index>(k, ritz.residuals.array().isFinite().count());
  Eigenpairs pairs{ritz.values.head(rank), ritz.V.leftCols(rank), ritz.residuals.head(rank), {}};
  pairs.low = interval.low;
  return pairs;
}

}  // namespace

Index chebyshev_width(Index k) { return rounded_up(k + std::max<Index>(4, k / 5)); }

Eigenpairs chebyshev_eigenpairs(const SymmetricBlock& A, Index k, SparseFactor* counts,
                                const SpectrumOptions& options, const Execution& run) {
  const double norm = norm_bound(A), tol = 0.9 * absolute_tolerance(A, norm, options);
  const double loose = std::max(std::sqrt(options.tol), 4 * A.noise) * norm;
  const Index m = chebyshev_width(k);
  Interval interval = first_interval(A, norm);
  ChebyshevFilter filter(A, run);
  Ritz ritz = random_block(A, m, interval, norm, filter, run);
  SpectrumReport report{{.n_iter = 0, .converged = false, .solver = "chebyshev"}};
  Eigenpairs pairs;
  while (true) {
    deflate(A, ritz.V, run);
    rayleigh_ritz(A, ritz, interval.low, run);
    ++report.n_iter;
    const bool found = is_converged(ritz, k, tol, loose);
    if (found || report.n_iter >= options.max_iter) {
      pairs = pairs_of(ritz, k, interval);
      if (!found) break;
      const Certificate certificate = certify(A, k, pairs, counts, options, run);
      report.converged = !certificate.name.empty();
      report.certificate = certificate.name;
      if (report.converged || certificate.missing.cols() == 0 || report.n_iter >= options.max_iter) break;
      ritz.V.leftCols(k) = certificate.missing.leftCols(k);  // what was missed is among them
      continue;
    }
    Index exact = 0;  // pairs that are found stay as they are
    while (exact < k && ritz.residuals(exact) <= 0.1 * tol) ++exact;
    const Index first = m - rounded_up(m - exact);
    interval.high = upper_end(ritz, k, interval.low, norm);
    const Index out = outgrowing(ritz, exact, k, interval);
    filter.keep_out(ritz, out);
    filter.residual_form(ritz, first, interval, next_degree(ritz, std::max(first, out), k, interval, tol));
  }
  pairs.report = report;
  return pairs;
}

}  // namespace likewise::spectrum
