#include "spectrum/sparse_factor.hpp"

#include <Eigen/SparseCholesky>

#include <algorithm>
#include <limits>
#include <vector>

namespace likewise::spectrum {

namespace {

using ByColumns = Eigen::SparseMatrix<double>;

/// Eigen's factorization, with its sizes known before numbers are.
class Ldlt : public Eigen::SimplicialLDLT<ByColumns, Eigen::Lower, Eigen::AMDOrdering<int>> {
 public:
  Vector<double> column_sizes() const { return m_nonZerosPerCol.cast<double>(); }
};

/// Columns that are solved together: L is read once for all of them.
constexpr int width = 4;
using Panel = Eigen::Matrix<double, Eigen::Dynamic, width, Eigen::RowMajor>;

}  // namespace

struct SparseFactor::State {
  ByColumns minus_A;  // the lower triangle
  Ldlt ldlt;
};

SparseFactor::SparseFactor(const SparseMatrix<double>& A) : state_(std::make_unique<State>()) {
  // A row-major symmetric matrix read by columns is itself.
  const Eigen::Map<const ByColumns> by_columns(A.rows(), A.cols(), A.nonZeros(), A.outerIndexPtr(),
                                               A.innerIndexPtr(), A.valuePtr());
  // Eigen's ordering puts nodes without a stored diagonal last, as if they were dense.
  ByColumns diagonal(A.rows(), A.cols()), lower = by_columns.triangularView<Eigen::Lower>();
  diagonal.setIdentity();
  state_->minus_A = 0.0 * diagonal - lower;
  state_->ldlt.analyzePattern(state_->minus_A);
}
SparseFactor::~SparseFactor() = default;
SparseFactor::SparseFactor(SparseFactor&&) noexcept = default;
SparseFactor& SparseFactor::operator=(SparseFactor&&) noexcept = default;

double SparseFactor::operations() const { return state_->ldlt.column_sizes().squaredNorm(); }
double SparseFactor::entries() const { return state_->ldlt.column_sizes().sum(); }

bool SparseFactor::factorize(double shift) {
  state_->ldlt.setShift(shift);
  state_->ldlt.factorize(state_->minus_A);
  return state_->ldlt.info() == Eigen::Success && state_->ldlt.vectorD().allFinite();
}

Columns SparseFactor::solve(const Columns& B) const {
  const auto& L = state_->ldlt.matrixL().nestedExpression();
  const Eigen::VectorXd D = state_->ldlt.vectorD();
  const auto& order = state_->ldlt.permutationP().indices();
  const Index n = B.rows();
  Columns X(n, B.cols());
  Panel panel(n, width);
  for (Index at = 0; at < B.cols(); at += width) {
    const Index columns = std::min<Index>(width, B.cols() - at);
    panel.setZero();
    for (Index i = 0; i < n; ++i) panel.row(order(i)).head(columns) = B.row(i).segment(at, columns);
    for (Index j = 0; j < n; ++j) {
      const Eigen::Matrix<double, 1, width> x = panel.row(j);
      for (ByColumns::InnerIterator e(L, j); e; ++e) panel.row(e.row()).noalias() -= e.value() * x;
    }
    panel.array().colwise() /= D.array();
    for (Index j = n - 1; j >= 0; --j) {
      Eigen::Matrix<double, 1, width> x = panel.row(j);
      for (ByColumns::InnerIterator e(L, j); e; ++e) x.noalias() -= e.value() * panel.row(e.row());
      panel.row(j) = x;
    }
    for (Index i = 0; i < n; ++i) X.row(i).segment(at, columns) = panel.row(order(i)).head(columns);
  }
  return X;
}

/// The computed factors are exact for a matrix whose entries differ by at most (m + 2) u |L| |D| |L|^T, m the most terms of
/// any sum (Higham 2002, chapter 10): its largest row sum bounds the norm. No pivots are chosen, so this is measured.
Inertia SparseFactor::inertia() const {
  const auto& L = state_->ldlt.matrixL().nestedExpression();
  const Eigen::VectorXd D = state_->ldlt.vectorD();
  const Index n = D.size();
  Eigen::VectorXd sums = Eigen::VectorXd::Zero(n);
  std::vector<int> terms(static_cast<std::size_t>(n), 0);
  for (Index j = 0; j < n; ++j) {
    double column = 1;
    for (ByColumns::InnerIterator e(L, j); e; ++e) column += std::abs(e.value());
    column *= std::abs(D(j));
    sums(j) += column;
    for (ByColumns::InnerIterator e(L, j); e; ++e) {
      sums(e.row()) += std::abs(e.value()) * column;
      ++terms[static_cast<std::size_t>(e.row())];
    }
  }
  const int most = n ? *std::max_element(terms.begin(), terms.end()) : 0;
  const double unit = 0.5 * std::numeric_limits<double>::epsilon();
  return {(D.array() < 0).count(), (most + 4) * unit * sums.maxCoeff()};
}

double guessed_operations(const SparseMatrix<double>& A) {
  const Index n = A.rows();
  std::vector<int> level(static_cast<std::size_t>(n), 0);
  for (Index i = 1; i < n; ++i) {  // the first neighbor was met first: i is one step beyond it
    const SparseMatrix<double>::InnerIterator first(A, i);
    if (first && first.col() < i)
      level[static_cast<std::size_t>(i)] = level[static_cast<std::size_t>(first.col())] + 1;
  }
  // Whatever cuts the graph has about as many points as a level; eliminating the last cut costs its cube, all of them
  // a few times as much (measured: 1 to 10 times).
  const double width = static_cast<double>(n) / (level.empty() ? 1 : level.back() + 1);
  return 4 * width * width * width;
}

}  // namespace likewise::spectrum
