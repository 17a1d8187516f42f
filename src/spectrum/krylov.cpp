// Wu and Simon (2000), thick-restart Lanczos, with blocks of columns. The projected matrix is computed, not assumed to be
// tridiagonal: so known vectors, restarts and columns that are replaced at random need no cases of their own.
#include "spectrum/krylov.hpp"

#include <algorithm>
#include <limits>

#include "symmetric_eigen.hpp"

namespace likewise::spectrum {

namespace {

constexpr double rounding = std::numeric_limits<double>::epsilon();

class Basis {
 public:
  Basis(const Columns& known, Index capacity)
      : known_(known),
        V_(known.rows(), capacity + krylov_columns),
        H_(Columns::Zero(capacity + krylov_columns, capacity + krylov_columns)) {}

  Index size() const { return done_; }
  Index pending() const { return pending_; }

  /// Puts `block` behind the basis, orthonormal; columns that lie in what is there are replaced by random ones. Their
  /// lengths before, as coefficients, are kept for residuals. No more columns than dimensions are left. `lengths` are those
  /// before the last subtraction of what is there.
  void put_behind(const Columns& block, double scale, const Eigen::RowVectorXd& lengths) {
    const Index room = V_.rows() - known_.cols() - done_;
    const Index columns = std::min({block.cols(), room, V_.cols() - done_});
    coupling_ = Columns::Zero(columns, block.cols());
    pending_ = 0;
    for (Index j = 0; j < block.cols(); ++j) {
      Vector<double> v = block.col(j);
      Vector<double> inside = V_.middleCols(done_, pending_).transpose() * v;
      v -= V_.middleCols(done_, pending_) * inside;
      const Vector<double> again = V_.middleCols(done_, pending_).transpose() * v;
      v -= V_.middleCols(done_, pending_) * again;
      coupling_.topRows(pending_).col(j) = inside + again;
      const double length = v.norm();
      if (pending_ == columns) continue;
      const bool is_new = length > 100 * rounding * scale;
      if (is_new) {
        coupling_(pending_, j) = length;
        v /= length;
        // What is left after a long subtraction is not orthogonal to working precision. The last one is rarely long: of an
        // inverse, whose values span many digits, it would be if it were compared with `scale`.
        if (length < 1e-3 * lengths(j)) v = cleaned(v);
      } else {
        v = cleaned(random_start(V_.rows(), ++seed_));
      }
      V_.col(done_ + pending_) = v;
      ++pending_;
    }
  }

  /// Multiplies the columns behind the basis and takes them into it; what the product adds comes behind.
  void expand(const std::function<Columns(const Columns&)>& op) {
    Columns W = op(V_.middleCols(done_, pending_));
    const Index now = done_ + pending_;
    // Once against those that a Lanczos recurrence couples (after a restart: all), once against all for rounding.
    const Index first = restarted_ ? 0 : done_ - last_;
    restarted_ = false;
    Columns C = Columns::Zero(now, pending_);
    if (known_.cols()) W -= known_ * (known_.transpose() * W);
    const auto near = V_.middleCols(first, now - first);
    C.bottomRows(now - first) = near.transpose() * W;
    W.noalias() -= near * C.bottomRows(now - first);
    if (known_.cols()) W -= known_ * (known_.transpose() * W);
    const Eigen::RowVectorXd lengths = W.colwise().norm();
    const Columns rest = V_.leftCols(now).transpose() * W;
    W.noalias() -= V_.leftCols(now) * rest;
    C += rest;
    H_.block(0, done_, now, pending_) = C;
    H_.block(done_, 0, pending_, now) = C.transpose();
    const Columns own = C.bottomRows(pending_);
    H_.block(done_, done_, pending_, pending_) = 0.5 * (own + own.transpose());
    scale_ = std::max(scale_, C.cwiseAbs().maxCoeff());
    last_ = pending_;
    done_ = now;
    put_behind(W, scale_, lengths);
  }

  /// Ritz values ascending, and the vectors' coefficients.
  SymmetricEigen ritz() const { return SymmetricEigen(H_.topLeftCorner(done_, done_)); }
  /// Of Ritz vectors with those coefficients: how far the operator leads out of the basis.
  Vector<double> residuals(const Columns& coefficients) const {
    if (pending_ == 0) return Vector<double>::Zero(coefficients.cols());
    return (coupling_ * coefficients.middleRows(done_ - last_, last_)).colwise().norm();
  }
  Columns vectors(const Columns& coefficients) const { return V_.leftCols(done_) * coefficients; }

  /// Keeps the Ritz vectors with those coefficients and values, and what is behind the basis.
  void shrink(const Columns& coefficients, const Vector<double>& values) {
    const Index kept = coefficients.cols();
    const Columns behind = V_.middleCols(done_, pending_);
    V_.leftCols(kept) = (V_.leftCols(done_) * coefficients).eval();
    V_.middleCols(kept, pending_) = behind;
    H_.topLeftCorner(kept, kept) = values.asDiagonal();
    done_ = kept;
    restarted_ = true;
  }

 private:
  Vector<double> cleaned(Vector<double> v) const {
    for (int twice = 0; twice < 2; ++twice) {
      if (known_.cols()) v -= known_ * (known_.transpose() * v);
      const auto all = V_.leftCols(done_ + pending_);
      v -= all * (all.transpose() * v);
      v.normalize();
    }
    return v;
  }

  const Columns& known_;
  Columns V_, H_, coupling_;
  Index done_ = 0, pending_ = 0, last_ = 0;
  double scale_ = 0;
  bool restarted_ = true;
  std::uint64_t seed_ = 500;
};

Index rounded_down(Index columns) { return columns / krylov_columns * krylov_columns; }

}  // namespace

KrylovPairs largest_by_krylov(const std::function<Columns(const Columns&)>& op, const Columns& known,
                              const Columns& start, const KrylovOptions& options) {
  const Index dimensions = known.rows() - known.cols(), k = std::min(options.k, dimensions);
  const Index capacity = std::min(dimensions, std::max<Index>(2 * k + 24, 40));
  Basis basis(known, capacity);
  Columns block = start.leftCols(std::min(start.cols(), krylov_columns));
  if (block.cols() < krylov_columns)
    block = side_by_side(block, random_columns(known.rows(), krylov_columns - block.cols(), 2));
  for (int twice = 0; twice < 2 && known.cols() > 0; ++twice) block -= known * (known.transpose() * block);
  basis.put_behind(block, block.cwiseAbs().maxCoeff(), block.colwise().norm());

  KrylovPairs found;
  Index look_at = std::min(capacity, k + 2 * krylov_columns);  // projected problems are solved now and then
  while (true) {
    while (basis.pending() > 0 && basis.size() < look_at && basis.size() + basis.pending() <= capacity)
      basis.expand(op);
    const bool is_full = basis.pending() == 0 || basis.size() + basis.pending() > capacity;
    const SymmetricEigen ritz = basis.ritz();
    const Index given = std::min(basis.size(), k + krylov_columns);
    const Columns coefficients = ritz.eigenvectors().rightCols(given).rowwise().reverse();
    found.values = ritz.eigenvalues().tail(given).reverse();
    const Vector<double> residuals = basis.residuals(coefficients);
    found.low = ritz.eigenvalues()(0) - basis.residuals(ritz.eigenvectors().leftCols(1))(0);
    found.converged = given >= k;
    for (Index j = 0; j < std::min(k, given); ++j)
      found.converged = found.converged && residuals(j) <= options.tolerance(found.values(j));
    if (found.converged || basis.pending() == 0 || found.n_restarts >= options.max_restarts) {
      found.vectors = basis.vectors(coefficients);
      return found;
    }
    look_at = std::min(capacity, basis.size() + std::max(krylov_columns, rounded_down(basis.size() / 6)));
    if (!is_full) continue;
    ++found.n_restarts;
    const Index kept = std::min(basis.size() - krylov_columns, k + std::max<Index>(4, (capacity - k) / 3));
    const Columns most = ritz.eigenvectors().rightCols(kept).rowwise().reverse();
    basis.shrink(most, ritz.eigenvalues().tail(kept).reverse());
    look_at = std::min(capacity, kept + 3 * krylov_columns);
  }
}

}  // namespace likewise::spectrum
