#include "gradient/scaling_terms.hpp"

#include <cmath>
#include <limits>

#include <likewise/error.hpp>

#include "engine/parallel.hpp"
#include "linear_solvers/conjugate_gradients.hpp"

namespace likewise {
namespace {

constexpr double minus_infinity = -std::numeric_limits<double>::infinity();

template <class T> Vector<double> row_dots(const Values<T>& a, const Values<T>& b, const Execution& run) {
  constexpr Index block_rows = 256;
  Vector<double> dots(a.rows());
  const Execution threads = engine::sized(run, 4 * static_cast<double>(a.size()));
  engine::parallel_blocks(engine::block_count(a.rows(), block_rows), threads, "differentiating",
                          [&](Index block) {
                            const engine::Block rows = engine::block_of(block, a.rows(), block_rows);
                            const auto wide = [rows](const Values<T>& m) {
                              return m.middleRows(rows.begin, rows.size).template cast<double>().array();
                            };
                            dots.segment(rows.begin, rows.size) = (wide(a) * wide(b)).rowwise().sum();
                          });
  return dots;
}

/// exp(a - b), 0 where either is switched off.
Vector<double> exp_difference(const Vector<double>& a, const Vector<double>& b) {
  return a.binaryExpr(b, [](double x, double y) {
    return x == minus_infinity || y == minus_infinity ? 0.0 : std::exp(x - y);
  });
}

/// One operator's normalization, leaf by leaf. In each, B_ij = P_ij <grad_i, V_j> is dL/d log P_ij and
/// R_ij = K_ij w_j / q_i the row-stochastic form, by which d log q_i = sum_j R_ij d log(K_ij w_j).
template <class T> class Terms {
 public:
  Terms(const PropagationOperator<T>& P, bool self, const Values<T>& grad, const Values<T>& V,
        const Values<T>& Y, const Execution& run)
      : P_(P), self_(self), grad_(grad), V_(V), by_row_(row_dots<T>(grad, Y, run)), run_(run) {}

  ScalingTerms<T> operator()(const Unnormalized&) const { return with({}, {}); }

  /// l_i = 1/(null mass + row sum): P_ij (<grad_i, V_j> - <grad_i, Y_i>).
  ScalingTerms<T> operator()(const RowStochastic&) const { return with(by_row_, {}); }

  /// P_ij = K_ij sqrt(w_i w_j / (q_i q_j)): each half of log q takes half of the row's and the column's sums.
  ScalingTerms<T> operator()(const Symmetric&) const {
    if (!self_) return with({}, 0.5 * by_row_);
    const Vector<double> by_column = column_dots(grad_);
    const Vector<double> half = 0.5 * (by_row_ + by_column);
    ScalingTerms<T> found = with({}, half);
    found.log_key_weights = half - by_column;
    return found;
  }

  /// r_j = w_j q_j^-alpha, then row-stochastic.
  ScalingTerms<T> operator()(const Density& density) const {
    if (!self_ || density.alpha == 0) return with(by_row_, {});
    Matrix<T> both(grad_.rows(), grad_.cols() + 1);
    both << grad_, by_row_.template cast<T>();
    const Matrix<T> pulled = P_.apply_transposed(both, run_);
    const Vector<double> by_column =
        row_dots<T>(V_, pulled.leftCols(grad_.cols()), run_) - pulled.rightCols(1).template cast<double>();
    return with(by_row_, density.alpha * by_column);
  }

  /// P 1 = 1 with one potential f for rows and columns: (I + P) df = -sum_j P_ij d log(K_ij w_j), so that with
  /// (I + P^T) u = b every pair gets P_ij (<grad_i, V_j> - u_i).
  ScalingTerms<T> operator()(const Bistochastic&) const {
    if (!self_) return with(by_row_, {});
    return with(implicit(by_row_ + column_dots(grad_)), {});
  }

  /// r_j = w_j / sum_i a_i K_ij, a the weights of the rows: a pair of column j loses a_i / w_j of the column's sum.
  ScalingTerms<T> operator()(const Column&) const {
    const Vector<double> by_column = column_dots(grad_), w = key_weights();
    const Vector<double> over_w = (w.array() > 0).select(by_column.array() / w.array(), 0.0);
    ScalingTerms<T> found = with({}, {});
    found.terms.row_deduction = own_weights().template cast<T>();
    found.terms.key_deduction = over_w.template cast<T>();
    found.log_key_weights = by_column;
    if (self_) found.log_key_weights -= w.cwiseProduct(product(over_w));
    return found;
  }

  /// l = 1 / sum_ij a_i K_ij w_j: every pair loses a_i of the sum of all.
  ScalingTerms<T> operator()(const Global&) const {
    const Vector<double> lost = by_row_.sum() * own_weights();
    ScalingTerms<T> found = with(lost, {});
    if (self_) found.log_key_weights = -lost.cwiseProduct(product(Vector<double>::Ones(P_.cols())));
    return found;
  }

 private:
  Vector<double> key_weights() const { return P_.log_key_weights().array().exp(); }
  Vector<double> own_weights() const { return self_ ? key_weights() : Vector<double>::Ones(P_.rows()); }
  Vector<double> product(const Vector<double>& v) const {
    return P_.apply(v.template cast<T>(), run_).template cast<double>();
  }
  Vector<double> column_dots(const Values<T>& grad) const {
    return row_dots<T>(V_, P_.apply_transposed(grad, run_), run_);
  }

  /// P_ij (<grad_i, V_j> - alpha_i) - beta_i R_ij, with R_ij / P_ij = rho_i sigma_j.
  ScalingTerms<T> with(const Vector<double>& alpha, const Vector<double>& beta) const {
    ScalingTerms<T> found{{.log_left = P_.log_left(),
                           .log_right = P_.log_right(),
                           .grad = grad_,
                           .values = V_,
                           .deduction = alpha.template cast<T>()},
                          Vector<double>::Zero(P_.cols())};
    if (beta.size()) {
      // A row without mass, or one that its key weight switches off, loses nothing.
      const Vector<double> rho = P_.log_row_sums().binaryExpr(P_.log_left(), [](double q, double l) {
        return q == minus_infinity || l == minus_infinity ? 0.0 : std::exp(-(q + l));
      });
      found.terms.row_deduction = (beta.array() * rho.array()).matrix().template cast<T>();
      found.terms.key_deduction = exp_difference(P_.log_key_weights(), P_.log_right()).template cast<T>();
    }
    return found;
  }

  /// u of (I + P^T) u = b. With the symmetric form M = D P D^-1, D = sqrt(w): P^T = D M D^-1, and conjugate gradients
  /// solve (I + M) y = D^-1 b. M's eigenvalues lie in [-1, 1]; b, a derivative along the constraint, has no part at -1.
  Vector<double> implicit(const Vector<double>& b) const {
    constexpr int most_steps = 1000;
    constexpr double tol = 1e-12;
    const Vector<double> D = (0.5 * P_.log_key_weights()).array().exp();
    const auto off = [&D](const Matrix<double>& x) -> Matrix<double> {
      return (D.array() > 0).select(x.col(0).array() / D.array(), 0.0);
    };
    const auto system = [&](const Matrix<double>& y) -> Matrix<double> {
      return y + D.asDiagonal() * P_.apply(off(y).template cast<T>(), run_).template cast<double>();
    };
    const Matrix<double> residual = off(b);
    const double enough = std::max(tol, 0.1 * static_cast<double>(std::numeric_limits<T>::epsilon()));
    Matrix<double> y = Matrix<double>::Zero(b.size(), 1);
    solvers::conjugate_gradients<double>(system, Vector<double>::Ones(b.size()),
                                         enough * solvers::column_norms(residual), most_steps, y, residual);
    return D.cwiseProduct(y.col(0));
  }

  const PropagationOperator<T>& P_;
  bool self_;
  const Values<T>&grad_, &V_;
  Vector<double> by_row_;  ///< <grad_i, Y_i>, the row sums of B
  const Execution& run_;
};

}  // namespace

template <class T>
ScalingTerms<T> scaling_terms(const PropagationOperator<T>& P, bool self, const Values<T>& grad,
                              const Values<T>& V, const Values<T>& Y, const Execution& run) {
  return std::visit(Terms<T>(P, self, grad, V, Y, run), P.mechanism().normalization);
}

template ScalingTerms<float> scaling_terms(const PropagationOperator<float>&, bool, const Values<float>&,
                                           const Values<float>&, const Values<float>&, const Execution&);
template ScalingTerms<double> scaling_terms(const PropagationOperator<double>&, bool, const Values<double>&,
                                            const Values<double>&, const Values<double>&, const Execution&);

}  // namespace likewise
