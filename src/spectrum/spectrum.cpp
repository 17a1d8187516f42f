#include <likewise/spectrum.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include <likewise/error.hpp>

#include "engine/call.hpp"
#include "engine/exp_weights.hpp"
#include "operator/walk.hpp"
#include "spectrum/blocks.hpp"
#include "spectrum/certificate.hpp"
#include "spectrum/walk_vectors.hpp"

namespace likewise {

namespace {

using spectrum::Columns;
using spectrum::Component;
using spectrum::SymmetricBlock;

constexpr double infinity = std::numeric_limits<double>::infinity();

void check(Index k, Index n, const SpectrumOptions& options) {
  require(k >= 1 && k <= n, "k",
          "an int in [1, " + std::to_string(n) + "] (" + std::to_string(n) + " points)", k);
  const bool known = options.solver == "auto" || options.solver == "dense" || options.solver == "lanczos"
                     || options.solver == "chebyshev" || options.solver == "shift_invert";
  require(known, "solver", "one of 'auto', 'dense', 'lanczos', 'chebyshev', 'shift_invert'",
          "'" + options.solver + "'");
  require(options.tol > 0, "tol", "positive", options.tol);
  require(options.max_iter >= 1, "max_iter", "an int of at least 1", options.max_iter);
}

// --- 1. eigenvalue 1 of each component is known
// Its eigenvector is the root of the stationary law.

/// log of the stationary measure of the random walk behind P, -inf where a point has none; empty where
/// eigenvalue 1 is not P's largest.
template <class T> Vector<double> log_stationary_measure(const SelfOperator<T>& P) {
  const Normalization& rule = P.mechanism().normalization;
  const auto* row = std::get_if<RowStochastic>(&rule);
  if (std::holds_alternative<Unnormalized>(rule) || std::holds_alternative<Global>(rule)
      || (row && row->null_mass > 0))
    return {};
  Vector<double> log_measure = std::holds_alternative<Symmetric>(rule) || std::holds_alternative<Column>(rule)
                                   ? Vector<double>(P.log_row_sums() + P.log_key_weights())
                                   : P.log_stationary();
  return log_measure.unaryExpr([](double m) { return std::isfinite(m) ? m : -infinity; });
}

/// What a row sum may be off by: eigenvalue 1 has that residual.
double row_sum_tolerance(const Normalization& rule) {
  const auto* bistochastic = std::get_if<Bistochastic>(&rule);
  return bistochastic ? bistochastic->tol : 0;
}

/// The root of the measure, if it is an eigenvector of eigenvalue 1 to `tol`; its residual becomes part of the block's noise,
/// since what is orthogonal to it is an invariant space only so far.
void put_trivial_vector(SymmetricBlock& block, Vector<double> root, double tol) {
  const double residual = (block.product(root) - root).norm();
  if (!(residual <= std::max(tol, 4 * block.noise))) return;
  block.noise = std::max(block.noise, residual);
  block.trivial_residual = residual;
  block.trivial = std::move(root);
}

/// Gives each component of positive measure its trivial eigenvector; returns the log measure of each.
Vector<double> put_trivial_vectors(std::vector<Component>& components, const Vector<double>& log_measure,
                                   double tol) {
  Vector<double> log_mass = Vector<double>::Constant(static_cast<Index>(components.size()), -infinity);
  if (log_measure.size() == 0) return log_mass;
  for (std::size_t c = 0; c < components.size(); ++c) {
    const Vector<double> inside = log_measure(components[c].points);
    const double mass = log_mass(static_cast<Index>(c)) = engine::log_sum_exp(inside);
    if (mass > -infinity) put_trivial_vector(components[c].block, (0.5 * (inside.array() - mass)).exp(), tol);
  }
  return log_mass;
}

/// Unit eigenvectors of eigenvalue 1 of all components together, the first of them the root of the whole
/// measure: the components' own, reflected so that e_0 goes to a, a_c^2 the share of component c. At most k
/// of them.
Columns trivial_vectors(const std::vector<Component>& components, const Vector<double>& log_mass, Index n,
                        Index k) {
  std::vector<std::size_t> massive;
  for (std::size_t c = 0; c < components.size(); ++c)
    if (components[c].block.trivial.size()) massive.push_back(c);
  const auto m = static_cast<Index>(massive.size());
  Columns U = Columns::Zero(n, std::min(m, k));
  if (m == 0) return U;
  Vector<double> a = (0.5 * (log_mass(massive).array() - engine::log_sum_exp(log_mass(massive)))).exp();
  const double pivot = a.tail(m - 1).squaredNorm() / (1 + a(0));  // 1 - a_0
  for (Index c = 0; c < m; ++c) {
    const Component& component = components[massive[static_cast<std::size_t>(c)]];
    for (Index j = 0; j < U.cols(); ++j) {
      const double reflected = j == 0 ? a(c) : c == 0 ? a(j) : (c == j ? 1 : 0) - a(c) * a(j) / pivot;
      for (std::size_t at = 0; at < component.points.size(); ++at)
        U(component.points[at], j) = reflected * component.block.trivial(static_cast<Index>(at));
    }
  }
  return U;
}

// --- 2. the others, component by component

struct Found {
  double value, residual;
  std::size_t component;
  Vector<double> vector;  // within the component
};

/// The name of the solver of the largest work (a dense one is for the small parts) and of the weakest certificate.
void join(SpectrumReport& all, const SpectrumReport& one) {
  if (all.solver == "dense" || one.solver == "chebyshev") all.solver = one.solver;
  all.n_iter += one.n_iter;
  all.converged = all.converged && one.converged;
  all.certificate = spectrum::weaker(all.certificate, one.certificate);
}

/// The k largest eigenpairs of all components beside the trivial ones, descending.
std::vector<Found> largest_of_all(const std::vector<Component>& components, Index k,
                                  const SpectrumOptions& options, const Execution& run,
                                  SpectrumReport& report) {
  const auto larger = [](const Found& a, const Found& b) { return a.value > b.value; };
  std::vector<Found> found;
  for (std::size_t c = 0; c < components.size(); ++c) {
    const SymmetricBlock& block = components[c].block;
    const Index wanted = std::min(k, block.size - (block.trivial.size() ? 1 : 0));
    if (wanted <= 0) continue;
    const spectrum::Eigenpairs pairs = spectrum::largest_beside_trivial(block, wanted, options, run);
    join(report, pairs.report);
    for (Index j = 0; j < wanted; ++j)
      found.push_back({pairs.values(j), pairs.residuals(j), c, pairs.vectors.col(j)});
    std::stable_sort(found.begin(), found.end(), larger);
    if (static_cast<Index>(found.size()) > k) found.resize(static_cast<std::size_t>(k), Found{});
  }
  return found;
}

// --- 3. from unit vectors of the symmetric form to right eigenvectors of P

/// The largest log measure of a row that steps out of its component, -inf if none does: rounding hides from the component's own
/// vector what a row of tiny measure does, and lighter rows may hang on that row.
double largest_leak(const Component& component, const Vector<double>& log_measure) {
  constexpr double rounding = 1e-6;
  const Vector<double> inside = log_measure(component.points);
  const Columns root = (0.5 * (inside.array() - inside.maxCoeff())).exp().matrix();
  const Columns image = component.block.product(root);
  double largest = -infinity;
  for (Index i = 0; i < inside.size(); ++i)  // 0 where nothing can be said
    if (!(image(i, 0) > (1 - rounding) * root(i, 0))) largest = std::max(largest, inside(i));
  return largest;
}

/// Of each column the points whose entry of the unit vector, which is v times the root of their measure, holds no digits of v:
/// points of hardly any measure beside the largest of their component, and components that leak (a far point that steps to the
/// others, though these never come back), of other components' eigenvectors. Points without measure always.
std::vector<std::vector<Index>> lost_points(const std::vector<Component>& components,
                                            const Vector<double>& log_measure, const Columns& U,
                                            const std::vector<Index>& owners) {
  constexpr double hardly_any = -18.4;  // log 1e-8
  constexpr double few_digits = 1e-4;   // of an entry beside the column's largest
  std::vector<std::vector<Index>> lost(owners.size());
  for (std::size_t c = 0; c < components.size(); ++c) {
    const Component& component = components[c];
    const double most = log_measure(component.points).maxCoeff();
    const bool leaks = component.block.trivial.size() == 0;
    const double leak = largest_leak(component, log_measure);
    for (std::size_t j = 0; j < owners.size(); ++j) {
      const bool own = owners[j] == static_cast<Index>(c);
      const double largest = own ? U.col(static_cast<Index>(j)).cwiseAbs().maxCoeff() : 0;
      for (const int i : component.points) {
        const bool none = log_measure(i) == -infinity;
        const bool faint = own && log_measure(i) - most < hardly_any
                           && std::abs(U(i, static_cast<Index>(j))) < few_digits * largest;
        if (none || faint || ((leaks || log_measure(i) <= leak) && !own)) lost[j].push_back(i);
      }
    }
  }
  return lost;
}

/// The walk's products, in T, say nothing of vectors of eigenvalues near 0, which may live on points of hardly any measure, or of
/// none: what is no rounding of u is kept.
template <class T>
void keep_null_vectors(const Columns& U, const Vector<double>& values,
                       std::vector<std::vector<Index>>& lost) {
  constexpr double rounding = 1e-13;
  constexpr double near_0 =
      std::max(spectrum::least_eigenvalue, 1e4 * static_cast<double>(std::numeric_limits<T>::epsilon()));
  for (Index j = 0; j < values.size(); ++j) {
    if (std::abs(values(j)) >= near_0) continue;
    const double least = rounding * U.col(j).cwiseAbs().maxCoeff();
    std::erase_if(lost[static_cast<std::size_t>(j)], [&](Index i) { return std::abs(U(i, j)) > least; });
  }
}

/// u over the root of the measure, exp(log_root), where that has digits.
template <class T>
Matrix<T> unscaled(const Columns& U, const Vector<double>& log_root,
                   const std::vector<std::vector<Index>>& lost) {
  Columns V = U;
  for (Index j = 0; j < V.cols(); ++j)
    for (const Index i : lost[static_cast<std::size_t>(j)]) V(i, j) = 0;
  for (Index i = 0; i < V.rows(); ++i)
    for (Index j = 0; j < V.cols(); ++j)
      if (V(i, j) != 0 && log_root(i) > -infinity) V(i, j) *= std::exp(-log_root(i));
  return V.template cast<T>();
}

/// v = D^-1 u; what that has no digits of follows from P itself.
template <class T>
Matrix<T> right_eigenvectors(const SelfOperator<T>& P, const Columns& U, const Vector<double>& values,
                             const std::vector<std::vector<Index>>& lost, const Execution& run) {
  const Vector<double> log_scale =
      (0.5 * P.log_stationary()).unaryExpr([](double s) { return std::isfinite(s) ? s : -infinity; });
  const Normalization& rule = P.mechanism().normalization;
  const bool global = std::holds_alternative<Global>(rule);  // one l for all rows
  const bool orthonormal =
      global || std::holds_alternative<Symmetric>(rule) || std::holds_alternative<Unnormalized>(rule);
  const double log_norm = global        ? -0.5 * P.log_left(run)(0)
                          : orthonormal ? 0
                                        : 0.5 * engine::log_sum_exp(2 * log_scale);
  std::vector<std::vector<Index>> missing = lost;
  if (orthonormal) {  // u itself, save of points without mass
    missing.assign(missing.size(), {});
    for (Index i = 0; i < P.rows(); ++i)
      if (log_scale(i) == -infinity)
        for (auto& column : missing) column.push_back(i);
  }
  keep_null_vectors<T>(U, values, missing);
  Matrix<T> V = unscaled<T>(U, log_scale.array() - log_norm, missing);
  spectrum::complete_by_walk(P, values, missing, V, run);
  return V;
}

/// Entries that differ by rounding only count as equally large. W's columns turn with V's.
template <class T> void fix_signs(Matrix<T>& V, Matrix<T>& W) {
  constexpr T almost = T(1) - 64 * std::numeric_limits<T>::epsilon();
  for (Index j = 0; j < V.cols(); ++j) {
    const T largest = V.col(j).cwiseAbs().maxCoeff();
    Index i = 0;
    while (std::abs(V(i, j)) < almost * largest) ++i;
    if (V(i, j) >= 0) continue;
    V.col(j) = -V.col(j);
    if (W.size()) W.col(j) = -W.col(j);
  }
}

}  // namespace

template <class T>
Eigenpairs<T> largest_eigenpairs(const SelfOperator<T>& P, Index k, const SpectrumOptions& options,
                                 const Execution& run) {
  const engine::Call call(run);
  check(k, P.rows(), options);
  std::vector<Component> components = spectrum::components_of(P, run);
  const double trivial_tol = std::max(options.tol, row_sum_tolerance(P.mechanism().normalization));
  const Vector<double> log_measure = log_stationary_measure(P);
  const Vector<double> log_mass =
      put_trivial_vectors(components, log_measure, std::max(trivial_tol, 1e-6 * (sizeof(T) == 4)));

  Eigenpairs<T> s;
  s.n_components = static_cast<Index>(components.size());
  s.report.solver = options.solver == "auto" ? "dense" : options.solver;
  s.report.certificate = "whole matrix";
  Columns U(P.rows(), k);
  const Columns trivial = trivial_vectors(components, log_mass, P.rows(), k);
  const Index m = trivial.cols();
  const std::vector<Found> others = largest_of_all(components, k - m, options, run, s.report);
  U.leftCols(m) = trivial;
  U.rightCols(k - m).setZero();
  s.values = Vector<double>::Ones(k);
  s.residuals = Vector<double>::Zero(k);
  for (const Component& component : components)
    if (m > 0) s.residuals.head(m) = s.residuals.head(m).cwiseMax(component.block.trivial_residual);
  if (m == k) s.report.certificate = "norm";                   // nothing lies above 1
  std::vector<Index> owners(static_cast<std::size_t>(k), -1);  // the component of each column; -1: of all
  for (Index j = m; j < k; ++j) {
    const Found& pair = others[static_cast<std::size_t>(j - m)];
    s.values(j) = m > 0 ? std::min(pair.value, 1.0) : pair.value;  // rounding never puts a copy of 1 first
    s.residuals(j) = pair.residual;
    U.col(j)(components[pair.component].points) = pair.vector;
    owners[static_cast<std::size_t>(j)] = static_cast<Index>(pair.component);
  }
  std::vector<std::vector<Index>> lost(owners.size());
  if (log_measure.size()) lost = lost_points(components, log_measure, U, owners);
  s.vectors = right_eigenvectors(P, U, s.values, lost, run);
  if (std::holds_alternative<Symmetric>(P.mechanism().normalization)) {
    keep_null_vectors<T>(U, s.values, lost);
    s.walk_vectors = unscaled<T>(U, 0.5 * log_measure, lost);
    if (std::any_of(lost.begin(), lost.end(), [](const auto& points) { return !points.empty(); }))
      spectrum::complete_by_walk(walk_of(P, run), s.values, lost, s.walk_vectors, run);
  }
  fix_signs(s.vectors, s.walk_vectors);
  s.report.residual = s.residuals.maxCoeff();
  if (!s.report.converged) s.report.certificate = "";
  if (options.throw_if_not_converged && !s.report.converged)
    throw NotConverged("no eigensolver came to an answer that it could certify: max_iter="
                       + std::to_string(options.max_iter) + " restarts or rounds left a residual of "
                       + std::to_string(s.report.residual) + " (tol=" + std::to_string(options.tol)
                       + "); raise max_iter or tol");
  return s;
}

#define LIKEWISE_INSTANTIATE(T)                                                                    \
  template Eigenpairs<T> largest_eigenpairs(const SelfOperator<T>&, Index, const SpectrumOptions&, \
                                            const Execution&);
LIKEWISE_INSTANTIATE(float)
LIKEWISE_INSTANTIATE(double)
#undef LIKEWISE_INSTANTIATE

}  // namespace likewise
