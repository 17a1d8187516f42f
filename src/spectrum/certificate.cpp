#include "spectrum/certificate.hpp"

#include <Eigen/Cholesky>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>
#include <vector>

namespace likewise::spectrum {

namespace {

// Up to this size a Cholesky factorization of the whole matrix costs no more than a probe (measured).
constexpr Index cholesky_up_to = 500;

/// Where eigenvalues are counted, and the distance to the nearest one that is known.
struct Cut {
  double at, distance;
};

/// In [least + margin, least + 3 margin], as far as can be from all known values.
Cut cut_above(double least, double margin, std::vector<double> known) {
  std::sort(known.begin(), known.end());
  const auto distance = [&](double mu) {
    double nearest = std::numeric_limits<double>::infinity();
    for (const double w : known) nearest = std::min(nearest, std::abs(w - mu));
    return nearest;
  };
  Cut best{least + margin, distance(least + margin)};
  const auto consider = [&](double mu) {
    if (mu < least + margin || mu > least + 3 * margin) return;
    if (const double d = distance(mu); d > best.distance) best = {mu, d};
  };
  consider(least + 2 * margin);
  consider(least + 3 * margin);
  for (std::size_t j = 1; j < known.size(); ++j) consider(0.5 * (known[j - 1] + known[j]));
  return best;
}

/// What is known of the pairs: values of those found (and 1, of the trivial one), and how far off they may be.
struct Claim {
  double least, norm, tol, off;
  std::vector<double> known;
};

/// The number of eigenvalues above the cut minus those that are known; none where rounding leaves it in doubt.
std::optional<Index> uncounted(const Cut& cut, double off, const std::vector<double>& known,
                               SparseFactor& factor) {
  if (!(cut.distance > off) || !factor.factorize(cut.at)) return {};
  const Inertia inertia = factor.inertia();
  if (!(inertia.error + off < cut.distance)) return {};
  const auto above = std::count_if(known.begin(), known.end(), [&](double w) { return w > cut.at; });
  return inertia.above - above;
}

/// The widest gap below the k-th pair, as the pairs beyond it tell: mostly wide, so that rounding is no matter.
bool all_counted_below(const Claim& claim, Index k, const Eigenpairs& pairs, SparseFactor& factor) {
  std::vector<double> known = claim.known, best_known;
  Cut best{0, 0};
  double off = claim.off, best_off = 0, last = claim.least;
  for (Index j = k; j < pairs.values.size(); ++j) {
    const double next = pairs.values(j), uncertain = std::max(off, pairs.residuals(j));
    const double half = 0.5 * (last - next);
    if (half > 4 * uncertain && half > best.distance) {
      best = {last - half, half};
      best_known = known;
      best_off = uncertain;
    }
    known.push_back(next);
    off = uncertain;
    last = std::min(last, next);
  }
  return uncounted(best, best_off, best_known, factor) == 0;
}

/// The number of eigenvalues above the k-th pair that are not known; nothing where it cannot be told.
std::optional<Index> missing_by_inertia(const Claim& claim, Index k, const Eigenpairs& pairs,
                                        SparseFactor& factor) {
  if (all_counted_below(claim, k, pairs, factor)) return 0;
  const double sharp = std::max(8 * claim.off, 1e-12 * claim.norm), wide = std::max(sharp, claim.tol);
  for (const double margin : {sharp, std::sqrt(sharp * wide), wide}) {
    const Cut cut = cut_above(claim.least, margin, claim.known);
    const std::optional<Index> count = uncounted(cut, claim.off, claim.known, factor);
    if (count && *count >= 0) return count;
  }
  return {};
}

/// With the found pairs moved to -|A|, mu I - A has a Cholesky factorization exactly if nothing else lies above mu.
bool cholesky_finds_nothing(const SymmetricBlock& A, Index k, const Eigenpairs& pairs, const Claim& claim) {
  Columns M = A.dense();
  M = (-0.5 * (M + M.transpose())).eval();
  const Columns V = pairs.vectors.leftCols(k);
  const Vector<double> moved = pairs.values.head(k).array() + claim.norm;
  M.noalias() += V * moved.asDiagonal() * V.transpose();
  if (A.trivial.size()) M.noalias() += (1 + claim.norm) * A.trivial * A.trivial.transpose();
  for (const double margin : {std::max(16 * claim.off, 1e-11 * claim.norm), claim.tol}) {
    Columns shifted = M;
    shifted.diagonal().array() += claim.least + margin;
    if (Eigen::LLT<Eigen::Ref<Columns>>(shifted).info() == Eigen::Success) return true;
  }
  return false;
}

/// The squares of the other eigenvalues sum to |A|_F^2 minus those of the pairs: each is at most the root of that.
bool trace_leaves_nothing(const SymmetricBlock& A, Index k, const Eigenpairs& pairs, const Claim& claim) {
  if (!A.squares || claim.least <= 0) return false;
  const double all = A.squares(), found = pairs.values.head(k).squaredNorm() + (A.trivial.size() ? 1 : 0);
  const double off = 1e-13 * all + 2 * claim.off * pairs.values.head(k).cwiseAbs().sum();
  return std::sqrt(std::max(all - found, 0.0) + off) <= claim.least + claim.tol;
}

/// Residuals |A u - w u|, and how far from orthonormal the vectors are.
struct Measured {
  Vector<double> residuals;
  double skew;
};
Measured measure(const SymmetricBlock& A, Index k, const Eigenpairs& pairs, const Execution& run) {
  const Index padded = engine::block_count(k, engine::column_multiple) * engine::column_multiple;
  Matrix<double> V = Matrix<double>::Zero(A.size, padded), image(A.size, padded);
  V.leftCols(k) = pairs.vectors.leftCols(k);
  A.row_product(V, image);
  image.leftCols(k) -= V.leftCols(k) * pairs.values.head(k).asDiagonal();
  Matrix<double> gram = engine::tall_gram(V, V, run).topLeftCorner(k, k);
  gram.diagonal().array() -= 1;
  double skew = gram.cwiseAbs().maxCoeff();
  if (A.trivial.size()) skew = std::max(skew, (V.leftCols(k).transpose() * A.trivial).cwiseAbs().maxCoeff());
  return {image.leftCols(k).colwise().norm().transpose(), skew};
}

}  // namespace

Certificate certify(const SymmetricBlock& A, Index k, const Eigenpairs& pairs, SparseFactor* factor,
                    const SpectrumOptions& options, const Execution& run) {
  const double norm = norm_bound(A), tol = absolute_tolerance(A, norm, options);
  const Measured measured = measure(A, k, pairs, run);
  // Comparisons that fail where a number is not one.
  const bool exact = measured.residuals.maxCoeff() <= tol && measured.skew <= 1e-7;
  if (!exact || !pairs.values.allFinite()) return {.residuals_hold = false};

  Claim claim{pairs.values.head(k).minCoeff(), norm, tol, measured.residuals.norm() + 1e-15 * norm, {}};
  claim.known.assign(pairs.values.data(), pairs.values.data() + k);
  if (A.trivial.size()) claim.known.push_back(1);
  if (claim.least >= norm - tol) return {.name = "norm"};
  if (trace_leaves_nothing(A, k, pairs, claim)) return {.name = "trace"};
  if (factor) {
    const std::optional<Index> missing = missing_by_inertia(claim, k, pairs, *factor);
    if (missing) return *missing == 0 ? Certificate{.name = "inertia"} : Certificate{.n_missing = *missing};
  }
  if (A.size <= cholesky_up_to)
    return cholesky_finds_nothing(A, k, pairs, claim) ? Certificate{.name = "inertia"}
                                                      : Certificate{.n_missing = 1};
  Columns larger = probe(A, k, pairs, norm, tol, run);
  if (larger.cols() == 0) return {.name = "probe"};
  return {.n_missing = 1, .missing = std::move(larger)};
}

std::string weaker(const std::string& a, const std::string& b) {
  constexpr std::array names{"", "probe", "inertia", "trace", "norm", "whole matrix"};
  const auto place = [&](const std::string& name) { return std::find(names.begin(), names.end(), name); };
  return place(a) < place(b) ? a : b;
}

}  // namespace likewise::spectrum
