#include <likewise/equilibrium.hpp>

#include <cmath>
#include <limits>
#include <type_traits>

#include <likewise/convergence.hpp>

#include "engine/call.hpp"
#include "equilibrium/fixed_point.hpp"
#include "operator/scalings.hpp"

namespace likewise {
namespace {

using equilibrium::FixedPoint;
using equilibrium::Solution;

template <class T> Vector<T> indicator(const std::vector<bool>& rows) {
  Vector<T> ones(static_cast<Index>(rows.size()));
  for (std::size_t i = 0; i < rows.size(); ++i) ones(static_cast<Index>(i)) = rows[i] ? T(1) : T(0);
  return ones;
}

template <class T>
void check(const SelfOperator<T>& P, const Values<T>& V, const EquilibriumOptions& options) {
  require(V.rows() == P.rows(), "V",
          "a matrix with " + std::to_string(P.rows()) + " rows (one for each point)", V.rows());
  require(V.allFinite(), "V", "finite", "a NaN or an infinity");
  require(options.max_iter >= 1, "max_iter", "an int >= 1", options.max_iter);
  require(options.tol >= 0, "tol", "a number >= 0", options.tol);
}

/// Why P is not self-adjoint in its stationary law, or empty. A row that borrows its nearest key's value is
/// one-sided.
template <class T> std::string why_directed(const SelfOperator<T>& P) {
  if (std::string missing = asymmetry(P); !missing.empty()) return missing;
  const bool empty_row = (P.log_left().array() == -std::numeric_limits<double>::infinity()).any();
  return empty_row && P.mechanism().empty_row == EmptyRow::nearest
             ? "rows with mass; some take their nearest key's value"
             : "";
}

/// pi up to a factor; 0 where a row has no mass or a key no weight.
template <class T> Vector<double> stationary_weights(const SelfOperator<T>& P) {
  const Vector<double> log_pi = P.log_stationary();
  double top = -std::numeric_limits<double>::infinity();
  for (const double v : log_pi)
    if (std::isfinite(v)) top = std::max(top, v);
  return log_pi.unaryExpr([top](double v) { return std::isfinite(v) ? std::exp(v - top) : 0.0; });
}

/// Each plain sweep divides the error by 1/strength, with all columns at once: below this it is the fastest solver of a
/// directed operator.
constexpr double sweeps_up_to = 0.5;

/// The error behind the residual r of x = Q x + b, Q >= 0, is at most (I - Q)^-1 |r|, which is solved for too: where links are
/// weak a walk stays for so long that a tiny residual hides any error. Of directed operators no other column shows it.
template <class T>
bool is_near(const FixedPoint<T>& problem, const Matrix<T>& x, int max_iter, const Execution& run) {
  const Vector<T> left = problem.residual(x, run).cwiseAbs().rowwise().maxCoeff();
  if (x.size() == 0 || left.maxCoeff() == T(0)) return true;
  constexpr double digits_of_a_bound = 1e-2;
  const Solution<T> error = equilibrium::bicgstab<T>({.P = problem.P,
                                                      .free = problem.free,
                                                      .strength = problem.strength,
                                                      .b = left,
                                                      .start = Matrix<T>::Zero(left.rows(), 1),
                                                      .tol = digits_of_a_bound},
                                                     max_iter, run);
  constexpr T error_allowed = std::is_same_v<T, double> ? T(1e-4) : T(1e-3);
  return error.report.converged && error.x.maxCoeff() <= error_allowed * x.cwiseAbs().maxCoeff();
}

template <class T>
Solution<T> solve(const FixedPoint<T>& problem, const EquilibriumOptions& options, const Execution& run) {
  const std::string directed = why_directed(problem.P);
  const auto by_cg = [&] {
    return equilibrium::conjugate_gradients(problem, stationary_weights(problem.P), options.max_iter, run);
  };
  const auto checked = [&](Solution<T> s) {
    s.report.converged = s.report.converged && is_near(problem, s.x, options.max_iter, run);
    return s;
  };
  if (options.solver == "auto") {
    if (!directed.empty() && problem.strength <= sweeps_up_to) {
      Solution<T> s = equilibrium::iterate(problem, std::min(options.max_iter, 100), run);
      if (s.report.converged) return s;
    }
    Solution<T> s =
        directed.empty() ? by_cg() : checked(equilibrium::bicgstab(problem, options.max_iter, run));
    if (s.report.converged || !equilibrium::can_factorize(problem.P)) return s;
    return equilibrium::factorize(problem, run);
  }
  if (options.solver == "cg") {
    require(directed.empty(), "solver", "'auto', 'bicgstab', 'direct' or 'iterate' without " + directed,
            "'cg'");
    return by_cg();
  }
  if (options.solver == "bicgstab") return checked(equilibrium::bicgstab(problem, options.max_iter, run));
  if (options.solver == "iterate") return checked(equilibrium::iterate(problem, options.max_iter, run));
  require(options.solver == "direct", "solver", "'auto', 'cg', 'bicgstab', 'direct' or 'iterate'",
          "'" + options.solver + "'");
  require(equilibrium::can_factorize(problem.P), "solver", "another than 'direct' on a streamed operator",
          "'direct'");
  return equilibrium::factorize(problem, run);
}

template <class T> double usable_tol(double tol) {
  return std::max(tol, 100 * static_cast<double>(std::numeric_limits<T>::epsilon()));
}

void throw_unless_converged(const IterationReport& report, const EquilibriumOptions& options) {
  if (options.throw_if_not_converged) require_converged(report, options.max_iter);
}

template <class T> void append_column(Matrix<T>& V, const Vector<T>& column) {
  V.conservativeResize(Eigen::NoChange, V.cols() + 1);
  V.col(V.cols() - 1) = column;
}

}  // namespace

template <class T>
SteadyValues<T> clamped_equilibrium(const SelfOperator<T>& P, const Values<T>& V,
                                    const std::vector<bool>& clamped, const EquilibriumOptions& options,
                                    const Execution& run) {
  const engine::Call call(run);
  check(P, V, options);
  require(static_cast<Index>(clamped.size()) == P.rows(), "clamped",
          "of length " + std::to_string(P.rows()) + " (one flag for each point)", clamped.size());
  const Vector<T> held = indicator<T>(clamped);
  std::vector<bool> unreached = unreached_rows(P, clamped, run);
  const bool all_reached = held.size() == 0 || indicator<T>(unreached).maxCoeff() == T(0);

  Matrix<T> known = held.asDiagonal() * V;
  const Normalization& rule = P.mechanism().normalization;
  const bool keeps_ones =
      divides_by_row_mass(rule) && null_mass(rule) == 0 && (all_reached || why_directed(P).empty());
  if (keeps_ones) append_column(known, held);
  const Vector<T> free = Vector<T>::Ones(P.rows()) - held - indicator<T>(unreached);
  const Solution<T> s = solve<T>({.P = P,
                                  .free = free,
                                  .b = free.asDiagonal() * P.apply(known, run),
                                  .start = Matrix<T>::Zero(P.rows(), known.cols()),
                                  .last_column_is_one = keeps_ones,
                                  .tol = usable_tol<T>(options.tol)},
                                 options, run);
  throw_unless_converged(s.report, options);
  return {(known + s.x).leftCols(V.cols()), s.report, std::move(unreached)};
}

template <class T>
SteadyValues<T> soft_equilibrium(const SelfOperator<T>& P, const Values<T>& V, double alpha,
                                 const EquilibriumOptions& options, const Execution& run) {
  const engine::Call call(run);
  check(P, V, options);
  require(alpha > 0 && alpha < 1, "alpha", "a number in (0, 1)", alpha);
  std::vector<bool> held(static_cast<std::size_t>(P.rows()));
  for (Index i = 0; i < P.rows(); ++i) held[static_cast<std::size_t>(i)] = (V.row(i).array() != T(0)).any();
  std::vector<bool> unreached = unreached_rows(P, held, run);

  const Solution<T> s = solve<T>({.P = P,
                                  .free = Vector<T>::Ones(P.rows()) - indicator<T>(unreached),
                                  .strength = alpha,
                                  .b = static_cast<T>(1 - alpha) * V,
                                  .start = V,
                                  .tol = usable_tol<T>(options.tol)},
                                 options, run);
  throw_unless_converged(s.report, options);
  return {s.x, s.report, std::move(unreached)};
}

#define LIKEWISE_INSTANTIATE(T)                                                                     \
  template SteadyValues<T> clamped_equilibrium(const SelfOperator<T>&, const Values<T>&,            \
                                               const std::vector<bool>&, const EquilibriumOptions&, \
                                               const Execution&);                                   \
  template SteadyValues<T> soft_equilibrium(const SelfOperator<T>&, const Values<T>&, double,       \
                                            const EquilibriumOptions&, const Execution&);
LIKEWISE_INSTANTIATE(float)
LIKEWISE_INSTANTIATE(double)
#undef LIKEWISE_INSTANTIATE

}  // namespace likewise
