#include <likewise/algorithms/hopfield_memory.hpp>

#include <cmath>

#include <likewise/operator.hpp>

#include "checks.hpp"
#include "engine/call.hpp"
#include "until_still.hpp"

namespace likewise {

template <class T>
HopfieldMemory<T> fit_hopfield_memory(const Points<T>& patterns, const HopfieldOptions& o) {
  require(o.max_iter >= 1, "max_iter", "an int >= 1", o.max_iter);
  require(o.tol >= 0, "tol", "a number >= 0", o.tol);
  check_points<T>("patterns", patterns);
  const Mechanism m{.metric = o.metric,
                    .kernel = Exponential{o.temperature},
                    .propagation = Steps{.moving = "points", .tol = o.tol, .max_iter = o.max_iter}};
  validate(m);
  return {KeyedMechanism<T>(m, PreparedKeys<T>(o.metric, patterns)), o.max_iter, o.tol};
}

namespace {

double temperature_of(const Mechanism& m) { return std::get<Exponential>(m.kernel).temperature; }

/// E of queries whose operator is P; P's log row sums are log sum_j exp(-c(q, x_j)/t).
template <class T>
Vector<double> energy_of(const CrossOperator<T>& P, const Matrix<T>& patterns, const Matrix<T>& q) {
  const double t = temperature_of(P.mechanism());
  const Vector<double>& log_sums = P.log_row_sums();
  Vector<double> E = t * (std::log(static_cast<double>(patterns.rows())) - log_sums.array());
  if (!std::holds_alternative<DotProduct>(P.mechanism().metric)) return E;
  const double longest = patterns.template cast<double>().rowwise().squaredNorm().maxCoeff();
  return E.array() + 0.5 * (q.template cast<double>().rowwise().squaredNorm().array() + longest);
}

void repeat_last_row(Matrix<double>& rows) {
  rows.conservativeResize(rows.rows() + 1, Eigen::NoChange);
  rows.bottomRows(1) = rows.row(rows.rows() - 2);
}

}  // namespace

template <class T> bool HopfieldMemory<T>::has_energy() const {
  const Metric& metric = keyed.keys().metric();
  return std::holds_alternative<DotProduct>(metric) || std::holds_alternative<SquaredEuclidean>(metric);
}

template <class T>
Vector<double> HopfieldMemory<T>::energy(const Points<T>& queries, const Execution& run) const {
  const engine::Call call(run);
  require(has_energy(), "metric", "DotProduct() or SquaredEuclidean(), whose updates have an energy",
          repr(keyed.keys().metric()));
  return energy_of<T>(keyed.at(queries, run), keyed.keys().points(), queries);
}

template <class T>
Retrieval<T> HopfieldMemory<T>::retrieve(const Points<T>& queries, const Execution& run) const {
  const engine::Call call(run);
  const Matrix<T>& patterns = keyed.keys().points();
  const double longest = patterns.template cast<double>().rowwise().norm().maxCoeff();
  const auto to_patterns = [&](const Matrix<T>& q) { return keyed.at(q, run); };
  Retrieval<T> r{queries, {}, {}};
  if (has_energy()) r.energies = energy(queries, run).transpose();
  const auto step = [&](const Matrix<T>& q, const std::vector<Index>&) {
    return to_patterns(q).apply(patterns, run);
  };
  const auto tell_energy = [&](const std::vector<Index>& moving, const Matrix<T>&, const Matrix<T>& to) {
    if (!has_energy()) return;
    repeat_last_row(r.energies);
    r.energies(Eigen::last, moving) = energy_of<T>(to_patterns(to), patterns, to).transpose();
  };
  r.report = rows_until_still<T>(r.states, longest > 0 ? longest : 1, tol, max_iter, step, tell_energy);
  return r;
}

template struct HopfieldMemory<float>;
template struct HopfieldMemory<double>;
template HopfieldMemory<float> fit_hopfield_memory(const Points<float>&, const HopfieldOptions&);
template HopfieldMemory<double> fit_hopfield_memory(const Points<double>&, const HopfieldOptions&);

}  // namespace likewise
