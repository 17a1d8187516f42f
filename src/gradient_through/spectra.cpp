#include <cmath>
#include <cstdio>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <likewise/gradient_through.hpp>
#include <likewise/spectrum.hpp>

#include "engine/call.hpp"
#include "linear_solvers/minres.hpp"
#include "operator/scalings.hpp"

namespace likewise {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

std::string printed(const char* format, double number) {
  char text[40];
  std::snprintf(text, sizeof text, format, number);
  return text;
}

/// w I - S on what is orthogonal to the computed eigenvectors U; inside their span it is diagonal.
template <class T> class ShiftedForm {
 public:
  ShiftedForm(const SelfOperator<T>& P, Vector<double> root, const Matrix<double>& v, int max_iter,
              const Execution& run)
      : P_(P), root_(std::move(root)), U_(root_.asDiagonal() * v), max_iter_(max_iter), run_(run) {}

  /// D^-1 x, 0 where the law has no mass.
  Vector<double> over_root(const Vector<double>& x) const {
    return (root_.array() > 0).select(x.array() / root_.array(), 0.0);
  }

  /// (w I - S)^+ b, eigenvector k left out.
  Vector<double> solve(double w, Index k, const Vector<double>& b) {
    Vector<double> gaps = w - values().array();
    gaps(k) = infinity;
    const Vector<double> inside = U_ * (U_.transpose() * b).cwiseQuotient(gaps);
    const Vector<double> rest = out(b);
    if (U_.cols() >= b.size() || rest.norm() <= 1e-14 * b.norm()) return inside;
    const auto system = [&](const Vector<double>& x) -> Vector<double> {
      ++report_.n_iter;
      const Vector<double> y = out(x);
      return out(w * y - S(y));
    };
    const Vector<double> x = out(solvers::minres(system, rest, tol_, max_iter_));
    report_.residual = std::max(report_.residual, (rest - system(x)).norm() / rest.norm());
    return inside + x;
  }

  IterationReport report() const {
    IterationReport report = report_;
    report.converged = report.residual <= std::max(1e-6, 1e3 * tol_);
    return report;
  }

 private:
  Vector<double> S(const Vector<double>& x) const {
    const Vector<T> narrow = over_root(x).template cast<T>();
    return root_.cwiseProduct(P_.apply(narrow, run_).col(0).template cast<double>());
  }
  /// Without the span; twice, for what rounding left.
  Vector<double> out(Vector<double> x) const {
    for (int twice = 0; twice < 2; ++twice) x -= U_ * (U_.transpose() * x);
    return x;
  }
  /// The eigenvalues of U's columns, as the operator itself has them.
  const Vector<double>& values() {
    if (values_.size() == 0) {
      values_.resize(U_.cols());
      for (Index k = 0; k < U_.cols(); ++k)
        values_(k) = U_.col(k).dot(S(U_.col(k))) / U_.col(k).squaredNorm();
    }
    return values_;
  }

  const SelfOperator<T>& P_;
  Vector<double> root_;
  Matrix<double> U_;
  Vector<double> values_;
  int max_iter_;
  double tol_ = std::max(1e-12, 10 * static_cast<double>(std::numeric_limits<T>::epsilon()));
  IterationReport report_;
  const Execution& run_;
};

/// Refuses eigenvalues with a gradient that another one coincides with, also one that was not asked for.
template <class T>
void require_simple(const SelfOperator<T>& P, const Vector<double>& w, const std::vector<bool>& needed,
                    double min_gap, const Execution& run) {
  const Index k = w.size();
  std::vector<double> known(w.begin(), w.end());
  if (k < P.rows()) known.push_back(largest_eigenpairs(P, k + 1, {}, run).values(k));
  double largest = 0;
  for (const double value : known) largest = std::max(largest, std::abs(value));
  for (std::size_t a = 0; a < needed.size(); ++a) {
    if (!needed[a]) continue;
    std::size_t nearest = a;
    double gap = infinity;
    for (std::size_t b = 0; b < known.size(); ++b)
      if (b != a && std::abs(known[b] - known[a]) < gap) {
        gap = std::abs(known[b] - known[a]);
        nearest = b;
      }
    if (gap >= min_gap * largest) continue;
    refuse("w",
           "simple where it has a gradient (eigenvalues inside an eigenspace have none, nor have its "
           "vectors; take another k)",
           "eigenvalues " + std::to_string(a) + " and " + std::to_string(nearest) + ", "
               + printed("%.10g", known[a]) + " and " + printed("%.10g", known[nearest]) + ", coincide (gap "
               + printed("%.3g", gap) + ", min_gap " + printed("%.3g", min_gap * largest) + ")");
  }
}

template <class T>
void check(const SelfOperator<T>& P, const Vector<double>& w, const Matrix<double>& v,
           const Vector<double>& grad_w, const Matrix<double>& grad_v) {
  require(asymmetry(P).empty(), "P", asymmetry(P), "none");
  require(v.rows() == P.rows() && v.cols() >= 1 && v.cols() <= v.rows(), "v",
          "eigenvectors (n, k) of the " + std::to_string(P.rows()) + " points",
          std::to_string(v.rows()) + " x " + std::to_string(v.cols()));
  require(w.size() == v.cols(), "w", "one eigenvalue for each vector", w.size());
  require(grad_w.size() == w.size(), "grad_w", "of w's length", grad_w.size());
  require(grad_v.rows() == v.rows() && grad_v.cols() == v.cols(), "grad_v", "of v's shape",
          std::to_string(grad_v.rows()) + " x " + std::to_string(grad_v.cols()));
}

/// pi: a law that sums to 1, or the weights that vectors are orthonormal in.
template <class T> Vector<double> law_of(const SelfOperator<T>& P, bool sums_to_1) {
  const Vector<double> log_law = P.log_stationary();
  if (!sums_to_1) return log_law.array().exp();
  const double top = log_law.maxCoeff();
  const Vector<double> law = (log_law.array() - top).exp();
  return law / law.sum();
}

}  // namespace

template <class T>
ImplicitGradient<T> eigen_vjp(const SelfOperator<T>& P, const Vector<double>& w, const Matrix<double>& v,
                              const Vector<double>& grad_w, const Matrix<double>& grad_v,
                              const EigenGradientOptions& options, const Execution& run) {
  const engine::Call call(run);
  check(P, w, v, grad_w, grad_v);
  const Normalization& rule = P.mechanism().normalization;
  require(rows_stand_alone(rule), "normalization",
          "RowStochastic, which has the eigenvalues of Column, or Unnormalized, for gradients of eigenpairs",
          repr(rule));
  const bool has_law =
      !std::holds_alternative<Symmetric>(rule) && !std::holds_alternative<Unnormalized>(rule);
  const Index n = v.rows(), k = v.cols();
  std::vector<Index> moved;
  std::vector<bool> needed(static_cast<std::size_t>(k));
  for (Index c = 0; c < k; ++c) {
    const bool moves = (grad_v.col(c).array() != 0).any();
    if (moves) moved.push_back(c);
    needed[static_cast<std::size_t>(c)] = moves || grad_w(c) != 0;
  }
  require(moved.empty() || null_mass(rule) == 0, "grad_v",
          "None with a null_mass: the walk has no stationary law there", "gradients of vectors");
  if (!moved.empty() && has_law) needed[0] = true;  // the law itself is the vector of eigenvalue 1
  if (std::find(needed.begin(), needed.end(), true) != needed.end())
    require_simple(P, w, needed, options.min_gap, run);

  const Vector<double> law = law_of(P, has_law);
  const Vector<double> root = law.cwiseSqrt();
  ShiftedForm<T> form(P, root, v, options.max_iter, run);
  const Index of_law = has_law ? static_cast<Index>(moved.size()) : 0;
  Matrix<double> left(n, k + of_law), right(n, k + of_law);
  left.leftCols(k) = law.asDiagonal() * v * grad_w.asDiagonal();
  right.leftCols(k) = v;
  for (std::size_t at = 0; at < moved.size(); ++at) {
    const Index c = moved[at];
    left.col(c) += root.cwiseProduct(form.solve(w(c), c, form.over_root(grad_v.col(c))));
    if (!has_law) continue;
    const Index beyond = k + static_cast<Index>(at);
    const double pulled = -0.5 * grad_v.col(c).dot(v.col(c));
    left.col(beyond) = pulled * law;
    const Vector<double> b = root.array() * (v.col(c).array().square() - 1);
    right.col(beyond) = form.over_root(form.solve(1, 0, b));
  }
  ImplicitGradient<T> found{vjp<T>(P, left.template cast<T>(), right.template cast<T>(), {}, run),
                            form.report()};
  OperatorGradient<T>& gradient = found.gradient;
  gradient.values.resize(0, 0);
  // sum_i pi_i v_i^2 = 1 with pi the key weights, where there are any.
  if (std::holds_alternative<Unnormalized>(rule) && gradient.log_key_weights.size()) {
    const Vector<double> pulled = grad_v.cwiseProduct(v).colwise().sum().transpose();
    gradient.log_key_weights -= 0.5 * law.cwiseProduct(v.cwiseAbs2() * pulled);
  }
  return found;
}

template ImplicitGradient<float> eigen_vjp(const SelfOperator<float>&, const Vector<double>&,
                                           const Matrix<double>&, const Vector<double>&,
                                           const Matrix<double>&, const EigenGradientOptions&,
                                           const Execution&);
template ImplicitGradient<double> eigen_vjp(const SelfOperator<double>&, const Vector<double>&,
                                            const Matrix<double>&, const Vector<double>&,
                                            const Matrix<double>&, const EigenGradientOptions&,
                                            const Execution&);

}  // namespace likewise
