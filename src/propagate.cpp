#include <likewise/propagate.hpp>

#include <cmath>
#include <string>
#include <utility>

#include <likewise/error.hpp>

#include "engine/call.hpp"
#include "spectrum/eigenvalue_powers.hpp"
#include "until_still.hpp"

namespace likewise {
namespace {

template <class T> double longest_row(const Values<T>& V) {
  const double longest = V.rows() ? V.template cast<double>().rowwise().norm().maxCoeff() : 0;
  return longest > 0 ? longest : 1;
}

/// What a move of points is measured by: a length of the kernel where it has one, else the longest row of V.
template <class T> double unit_of_moves(const SelfOperator<T>& P, const Values<T>& V) {
  const Bandwidth* h = bandwidth_of(P.mechanism().kernel);
  return h && h->is_number() ? h->length() : longest_row<T>(V);
}

/// Squares of what is still moving must stay in range.
template <class T> void require_bounded(const Matrix<T>& moved, const Mechanism& mechanism) {
  const double largest = std::sqrt(static_cast<double>(std::numeric_limits<T>::max())) * 1e-3;
  if (moved.size() == 0 || (moved.allFinite() && static_cast<double>(moved.cwiseAbs().maxCoeff()) < largest))
    return;
  throw NotConverged("steps grow without bound under " + repr(mechanism.normalization)
                     + ", whose rows need not sum to 1; use RowStochastic() or a number t of steps.");
}

template <class T>
Propagated<T> moved_points(const SelfOperator<T>& P, Matrix<T> points, const Values<T>& V, const Steps& how,
                           const Execution& run) {
  require(!points_are_costs(P.mechanism().metric), "metric", "one of coordinates where points move",
          repr(P.mechanism().metric));
  require(V.cols() == points.cols(), "V",
          "a matrix of the points' width where points move: " + std::to_string(points.cols()) + " columns",
          V.cols());
  // Filters and graphs know points by their place, columns have sums over all of them: so all must be there.
  const Support& support = P.mechanism().support;
  const bool by_place = !support.filters().empty() || !support.graphs().empty()
                        || !rows_stand_alone(P.mechanism().normalization);
  const auto step = [&](const Matrix<T>& from, const std::vector<Index>& moving) -> Matrix<T> {
    if (!by_place) return P.at(from, run).apply(V, run);
    return P.at(points, run).apply(V, run)(moving, Eigen::all);
  };
  const auto check = [&](const std::vector<Index>&, const Matrix<T>&, const Matrix<T>& to) {
    require_bounded(to, P.mechanism());
  };
  if (how.t) {
    for (Index left = *how.t; left > 0; --left) points = P.at(points, run).apply(V, run);
    return {std::move(points)};
  }
  const IterationReport report =
      rows_until_still<T>(points, unit_of_moves<T>(P, V), how.tol, how.max_iter, step, check);
  return {std::move(points), report};
}

template <class T>
Propagated<T> moved_values(const SelfOperator<T>& P, const Values<T>& V, const Steps& how,
                           const Execution& run) {
  if (how.t) return {power(P, *how.t).apply(V, run)};
  Matrix<T> F = V;
  const double unit = longest_row<T>(V);
  const IterationReport report = until_still("iterate", how.max_iter, [&]() -> Move {
    Matrix<T> next = P.apply(F, run);
    const double residual = F.size() ? row_moves<T>(F, next, unit).maxCoeff() : 0;
    require_bounded(next, P.mechanism());
    F = std::move(next);
    return {residual, residual <= how.tol};
  });
  return {std::move(F), report};
}

template <class T> struct Doing {
  const SelfOperator<T>& P;
  const Values<T>& V;
  const std::vector<bool>& clamped;
  const Execution& run;

  Propagated<T> operator()(const OneStep&) const { return {P.apply(V, run)}; }
  Propagated<T> operator()(const Steps& s) const {
    return s.moving == "points" ? moved_points<T>(P, P.keys(), V, s, run) : moved_values<T>(P, V, s, run);
  }
  Propagated<T> operator()(const Heat& h) const { return {heat(P, h.t).apply(V, run)}; }
  Propagated<T> operator()(const Equilibrium& e) const {
    const EquilibriumOptions options{.solver = e.solver, .tol = e.tol, .max_iter = e.max_iter};
    require(!e.alpha || clamped.empty(), "clamped", "left out with alpha, which holds all rows softly",
            std::to_string(clamped.size()) + " flags");
    SteadyValues<T> found = e.alpha ? soft_equilibrium<T>(P, V, *e.alpha, options, run)
                                    : clamped_equilibrium<T>(P, V, clamped, options, run);
    return {std::move(found.values), found.report, std::move(found.unreached)};
  }
  Propagated<T> operator()(const Spectrum& s) const {
    require(V.size() == 0, "V", "left out with Spectrum(), which is asked of the operator alone",
            std::to_string(V.rows()) + " x " + std::to_string(V.cols()));
    Eigenpairs<T> found =
        largest_eigenpairs(P, s.n, {.tol = s.tol, .max_iter = s.max_iter, .solver = s.solver}, run);
    Matrix<T> scaled =
        s.power == 0
            ? found.vectors
            : Matrix<T>(found.vectors
                        * eigenvalue_powers(found.values, s.power, "power").template cast<T>().asDiagonal());
    const IterationReport report = found.report;
    return {std::move(scaled), report, {}, std::move(found)};
  }
};

}  // namespace

template <class T>
Propagated<T> propagate(const SelfOperator<T>& P, const Values<T>& V, const std::vector<bool>& clamped,
                        const Execution& run) {
  const engine::Call call(run);
  const Propagation& how = P.mechanism().propagation;
  require(clamped.empty() || std::holds_alternative<Equilibrium>(how), "clamped",
          "left out without an Equilibrium(), which alone holds values",
          std::to_string(clamped.size()) + " flags");
  return std::visit(Doing<T>{P, V, clamped, run}, how);
}

template <class T>
Propagated<T> propagate_from(const Points<T>& X, const SelfOperator<T>& P, const Values<T>& V,
                             const Execution& run) {
  const engine::Call call(run);
  const Propagation& how = P.mechanism().propagation;
  if (std::holds_alternative<OneStep>(how)) return {P.at(X, run).apply(V, run)};
  const Steps* steps = std::get_if<Steps>(&how);
  require(steps && steps->moving == "points", "propagation",
          "OneStep() or Steps(moving='points') from new points", repr(how));
  return moved_points<T>(P, X, V, *steps, run);
}

#define LIKEWISE_INSTANTIATE(T)                                                                        \
  template Propagated<T> propagate(const SelfOperator<T>&, const Values<T>&, const std::vector<bool>&, \
                                   const Execution&);                                                  \
  template Propagated<T> propagate_from(const Points<T>&, const SelfOperator<T>&, const Values<T>&,    \
                                        const Execution&);
LIKEWISE_INSTANTIATE(float)
LIKEWISE_INSTANTIATE(double)
#undef LIKEWISE_INSTANTIATE

}  // namespace likewise
