// The certificate of large matrices: what was missed would stand out of random columns that were not part of the search.
#include <algorithm>
#include <cmath>

#include "spectrum/certificate.hpp"
#include "spectrum/chebyshev_filter.hpp"

namespace likewise::spectrum {

namespace {

constexpr Index columns = engine::column_multiple, most_products = 60;

void take_out(const Columns& known, Matrix<double>& Y) {
  for (int twice = 0; twice < 2; ++twice) Y -= known * (known.transpose() * Y).eval();
}

/// What the filter keeps small: everything up to the pair beyond the k-th that leaves the widest gap to it. Pairs are taken
/// out of the columns, so only what was missed lies above.
Interval small_part(Index k, const Eigenpairs& pairs, double norm) {
  const double least = pairs.values(k - 1);
  double high = least;
  for (Index j = k; j < pairs.values.size(); ++j) {
    const double end = pairs.values(j) + pairs.residuals(j);
    if (pairs.residuals(j) <= 0.3 * (least - pairs.values(j))) high = std::min(high, end);
  }
  const double low = std::max(-norm, std::min(pairs.low, high - 1e-6 * norm));
  return {low, std::max(high, low + 1e-6 * norm)};
}

/// A missed eigenvector's share of a random unit column is 1/sqrt(n) times a normal number; that 16 of those are all
/// below 1/2 in size has probability 1e-7. Grown by this factor it exceeds what all others together can be.
double log_contrast(Index n) { return std::log(8 * std::sqrt(static_cast<double>(n))); }

class Probe {
 public:
  Probe(const SymmetricBlock& A, const Interval& interval, double top, double least, double norm,
        const Execution& run)
      : filter_(A, run), interval_(interval) {
    // Rounding brings back what was taken out: it is taken out again before it has grown to matter.
    const double allowed = std::clamp(1e-2 / std::max(A.noise, 1e-7), 3.0, 1e5);
    const double once = std::floor(std::log(2 * allowed) / std::max(interval.growth(top), 1e-9));
    at_once_ = static_cast<Index>(std::clamp(once, 2.0, static_cast<double>(most_products)));
    const double contrast = log_contrast(A.size);
    double rate = interval.growth(least);
    // Where pairs beyond the k-th are copies of it, only what lies a thousandth of the norm above can be told in time.
    if (rate * static_cast<double>(most_products) < contrast) rate = interval.growth(least + 1e-3 * norm);
    rate = std::max(rate, 1e-9);
    // A polynomial that does it at once, or several whose growth, cosh each, multiplies.
    const double needed = (contrast + std::log(2.0)) / rate;
    const double several = contrast / std::log(std::cosh(static_cast<double>(at_once_) * rate));
    const double degree = needed <= static_cast<double>(at_once_)
                              ? std::ceil(needed)
                              : std::ceil(several) * static_cast<double>(at_once_);
    degree_ = static_cast<Index>(std::clamp(degree, 2.0, static_cast<double>(most_products)));
  }

  /// Y, orthonormal or so and outside of `known`, filtered: the factor by which its columns grew at most.
  double grow(Matrix<double>& Y, const Columns& known) {
    const Eigen::RowVectorXd before = Y.colwise().norm();
    for (Index done = 0; done < degree_; done += at_once_) {
      filter_.plain(Y, interval_, std::min(at_once_, degree_ - done));
      take_out(known, Y);
    }
    return (Y.colwise().norm().array() / before.array().max(1e-300)).maxCoeff();
  }

 private:
  ChebyshevFilter filter_;
  Interval interval_;
  Index degree_, at_once_;
};

}  // namespace

Columns probe(const SymmetricBlock& A, Index k, const Eigenpairs& pairs, double norm, double tol,
              const Execution& run) {
  const Columns known = side_by_side(trivial_column(A), pairs.vectors);
  Matrix<double> Y = random_columns(A.size, columns, 77);
  take_out(known, Y);
  const double least = pairs.values(k - 1), top = A.trivial.size() ? 1 : std::max(pairs.values(0), least);
  Probe filtered(A, small_part(k, pairs, norm), top, least, norm, run);
  if (filtered.grow(Y, known) <= 2) return Columns(A.size, 0);

  // Something grew: a missed pair, or only a pair beyond the k-th that is not exact. Rayleigh-Ritz tells.
  const Columns wanted = side_by_side(trivial_column(A), pairs.vectors.leftCols(k));
  const auto settled = [&](const Vector<double>& values) {
    return (values.head(k) - pairs.values.head(k)).maxCoeff() <= 2 * tol;
  };
  for (int round = 0; round < 4; ++round) {
    const Eigenpairs both = within_span(A, side_by_side(pairs.vectors, Columns(Y)), k + columns);
    if (!settled(both.values)) return both.vectors.leftCols(k);
    Y = both.vectors.rightCols(columns);
    take_out(wanted, Y);
    filtered.grow(Y, wanted);
    for (Index j = 0; j < columns; ++j) Y.col(j).normalize();
  }
  return Columns(A.size, 0);
}

}  // namespace likewise::spectrum
