#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include <Eigen/LU>
#include <Eigen/QR>

#include <likewise/gradient_through.hpp>

#include "engine/call.hpp"
#include "linear_solvers/conjugate_gradients.hpp"
#include "linear_solvers/gmres.hpp"

namespace likewise {
namespace {

using solvers::column_norms;
using solvers::Columns;

/// m with m = 0 where not free and (m - alpha P^T m)_free = B_free.
struct Transposed {
  Matrix<double> m;
  IterationReport report = {};
  bool singular = false;
};

/// The largest residual of a column beside its right side.
double relative(const Matrix<double>& residual, const Matrix<double>& B) {
  const Columns size = column_norms(B);
  return (column_norms(residual).array() / (size.array() > 0).select(size.array(), 1.0)).maxCoeff();
}

/// D = sqrt(pi) up to a factor; none where it spans more than float64 can scale.
template <class T> std::optional<Vector<double>> root_of_law(const SelfOperator<T>& P) {
  if (!asymmetry(P).empty()) return {};
  const Vector<double> log_root = 0.5 * P.log_stationary();
  const double top = log_root.maxCoeff();
  if (!((log_root.array() - top) > std::log(1e-120)).all()) return {};  // -inf and NaN too
  return (log_root.array() - top).exp().matrix();
}

/// The system of one operator and its free rows.
template <class T> class TransposedSystem {
 public:
  TransposedSystem(const SelfOperator<T>& P, double alpha, const Vector<double>& free, const Execution& run)
      : P_(P), alpha_(alpha), free_(free), run_(run) {}

  /// `tol` bounds the recursion's residual; the measured one may be ten times as large, for rounding adds to it.
  Transposed solve(const Values<double>& grad, const ImplicitOptions& options) const {
    const double tol = std::max(options.tol, 10 * static_cast<double>(std::numeric_limits<T>::epsilon()));
    const Matrix<double> B = free_.asDiagonal() * grad;
    if ((B.array() == 0).all()) return {B};
    if (const auto root = root_of_law(P_)) return by_conjugate_gradients(B, *root, tol, options.max_iter);
    if (B.rows() <= options.eliminate_up_to) return by_elimination(B, 10 * tol);
    return by_gmres(B, tol, options.max_iter);
  }

 private:
  /// P^T = D S D^-1 with D = sqrt(pi), and S x = D P D^-1 x.
  Transposed by_conjugate_gradients(const Matrix<double>& B, const Vector<double>& root, double tol,
                                    int max_iter) const {
    const auto form = [&](const Matrix<double>& x) -> Matrix<double> {
      const Matrix<T> scaled = (root.cwiseInverse().asDiagonal() * x).template cast<T>();
      const Matrix<double> image = P_.apply(scaled, run_).template cast<double>();
      return free_.asDiagonal() * (x - alpha_ * (root.asDiagonal() * image));
    };
    const Matrix<double> right = root.cwiseInverse().asDiagonal() * B;
    Transposed found{Matrix<double>::Zero(B.rows(), B.cols())};
    found.report.n_iter = solvers::conjugate_gradients<double>(
        form, Vector<double>::Ones(B.rows()), tol * column_norms(right), max_iter, found.m, right);
    found.report.residual = relative(right - form(found.m), right);
    found.report.converged = found.report.residual <= 10 * tol;
    found.m = root.asDiagonal() * found.m;
    return found;
  }

  /// Directly; where links below rounding leave a singular system, its shortest least-squares solution.
  Transposed by_elimination(const Matrix<double>& B, double tol) const {
    std::vector<Index> rows;
    for (Index i = 0; i < free_.size(); ++i)
      if (free_(i) > 0) rows.push_back(i);
    const Index n = static_cast<Index>(rows.size());
    const Eigen::MatrixXd walk = P_.dense(run_).template cast<double>()(rows, rows);
    const Eigen::MatrixXd system = Eigen::MatrixXd::Identity(n, n) - alpha_ * walk.transpose();
    const Matrix<double> right = B(rows, Eigen::all);
    Matrix<double> m = system.partialPivLu().solve(right);
    Transposed found{Matrix<double>::Zero(B.rows(), B.cols())};
    if (!(m.allFinite() && relative(system * m - right, right) <= tol)) {
      m = system.completeOrthogonalDecomposition().solve(right);
      found.singular = true;
    }
    found.report.residual = relative(system * m - right, right);
    found.m(rows, Eigen::all) = m;
    return found;
  }

  Transposed by_gmres(const Matrix<double>& B, double tol, int max_iter) const {
    Transposed found{Matrix<double>::Zero(B.rows(), B.cols())};
    const auto system = [&](const Vector<double>& x) -> Vector<double> {
      ++found.report.n_iter;
      const Vector<T> narrow = x.template cast<T>();
      const Vector<double> image = P_.apply_transposed(narrow, run_).template cast<double>().col(0);
      return x - alpha_ * free_.cwiseProduct(image);
    };
    const Index restart = std::min<Index>(B.rows(), 100);
    for (Index c = 0; c < B.cols(); ++c) {
      const Vector<double> b = B.col(c);
      if ((b.array() == 0).all()) continue;
      const Vector<double> m = solvers::gmres(system, b, tol / 10, restart, max_iter);
      found.report.residual = std::max(found.report.residual, (b - system(m)).norm() / b.norm());
      found.m.col(c) = m;
    }
    found.report.converged = found.report.residual <= 10 * tol;
    return found;
  }

  const SelfOperator<T>& P_;
  double alpha_;
  const Vector<double>& free_;  ///< 1 where a row is unknown, else 0
  const Execution& run_;
};

template <class T> void check(const SelfOperator<T>& P, const Values<T>& grad_F, const Values<T>& F) {
  require(F.rows() == P.rows(), "F",
          "a matrix with " + std::to_string(P.rows()) + " rows (one for each point)", F.rows());
  require(grad_F.rows() == F.rows() && grad_F.cols() == F.cols(), "grad_F", "of F's shape",
          std::to_string(grad_F.rows()) + " x " + std::to_string(grad_F.cols()));
}

}  // namespace

template <class T>
ImplicitGradient<T> soft_equilibrium_vjp(const SelfOperator<T>& P, const Values<T>& grad_F,
                                         const Values<T>& F, double alpha, const ImplicitOptions& options,
                                         const Execution& run) {
  const engine::Call call(run);
  check<T>(P, grad_F, F);
  require(alpha > 0 && alpha < 1, "alpha", "a number in (0, 1)", alpha);
  const Vector<double> free = Vector<double>::Ones(P.rows());
  const Transposed t =
      TransposedSystem<T>(P, alpha, free, run).solve(grad_F.template cast<double>(), options);
  ImplicitGradient<T> found{vjp<T>(P, (alpha * t.m).template cast<T>(), F, {}, run), t.report, t.singular};
  found.gradient.values = ((1 - alpha) * t.m).template cast<T>();
  return found;
}

template <class T>
ImplicitGradient<T> clamped_equilibrium_vjp(const SelfOperator<T>& P, const Values<T>& grad_F,
                                            const Values<T>& F, const std::vector<bool>& clamped,
                                            const std::vector<bool>& unreached,
                                            const ImplicitOptions& options, const Execution& run) {
  const engine::Call call(run);
  check<T>(P, grad_F, F);
  const auto check_flags = [&](const char* name, const std::vector<bool>& flags) {
    require(static_cast<Index>(flags.size()) == P.rows(), name,
            "of length " + std::to_string(P.rows()) + " (one flag for each point)", flags.size());
  };
  check_flags("clamped", clamped);
  check_flags("unreached", unreached);
  Vector<double> free(P.rows());
  for (std::size_t i = 0; i < clamped.size(); ++i)
    free(static_cast<Index>(i)) = clamped[i] || unreached[i] ? 0.0 : 1.0;
  const Transposed t = TransposedSystem<T>(P, 1, free, run).solve(grad_F.template cast<double>(), options);
  ImplicitGradient<T> found{vjp<T>(P, t.m.template cast<T>(), F, {}, run), t.report, t.singular};
  Matrix<T>& values = found.gradient.values;      // P^T m so far
  values.conservativeResize(F.rows(), F.cols());  // none of no columns
  for (std::size_t i = 0; i < clamped.size(); ++i) {
    const Index row = static_cast<Index>(i);
    if (clamped[i])
      values.row(row) += grad_F.row(row);
    else
      values.row(row).setZero();
  }
  return found;
}

#define LIKEWISE_INSTANTIATE(T)                                                                       \
  template ImplicitGradient<T> soft_equilibrium_vjp(const SelfOperator<T>&, const Values<T>&,         \
                                                    const Values<T>&, double, const ImplicitOptions&, \
                                                    const Execution&);                                \
  template ImplicitGradient<T> clamped_equilibrium_vjp(                                               \
      const SelfOperator<T>&, const Values<T>&, const Values<T>&, const std::vector<bool>&,           \
      const std::vector<bool>&, const ImplicitOptions&, const Execution&);
LIKEWISE_INSTANTIATE(float)
LIKEWISE_INSTANTIATE(double)
#undef LIKEWISE_INSTANTIATE

}  // namespace likewise
