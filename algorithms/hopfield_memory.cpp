#include <likewise/algorithms/hopfield_memory.hpp>

#include <cmath>

#include <likewise/operator.hpp>

namespace likewise {

template <class T>
HopfieldMemory<T> fit_hopfield_memory(const Points<T>& patterns, const HopfieldOptions& o) {
  require(o.max_iter >= 1, "max_iter", "an int >= 1", o.max_iter);
  require(o.tol >= 0, "tol", "a number >= 0", o.tol);
  require(patterns.size() > 0 && patterns.allFinite(), "patterns",
          "finite, with at least one row and one column",
          std::to_string(patterns.rows()) + " x " + std::to_string(patterns.cols()));
  const Mechanism m{o.metric, Exponential{o.temperature}, AllPairs{}, RowStochastic{}};
  validate(m);
  return {m, patterns, o.max_iter, o.tol};
}

namespace {

double temperature_of(const Mechanism& m) { return std::get<Exponential>(m.kernel).temperature; }

/// E of queries whose operator is P; P's log row sums are log sum_j exp(-c(q, x_j)/t).
template <class T>
Vector<double> energy_of(const CrossOperator<T>& P, const Matrix<T>& patterns, const Matrix<T>& q) {
  const double t = temperature_of(P.mechanism());
  const Vector<double> log_sums = P.log_row_sums();
  const Vector<double> E = t * (std::log(static_cast<double>(patterns.rows())) - log_sums.array());
  if (!std::holds_alternative<DotProduct>(P.mechanism().metric)) return E;
  const double longest = patterns.template cast<double>().rowwise().squaredNorm().maxCoeff();
  return E.array() + 0.5 * (q.template cast<double>().rowwise().squaredNorm().array() + longest);
}

void append_row(Matrix<double>& rows, const Vector<double>& row) {
  rows.conservativeResize(rows.rows() + 1, row.size());
  rows.row(rows.rows() - 1) = row;
}

}  // namespace

template <class T> bool HopfieldMemory<T>::has_energy() const {
  return std::holds_alternative<DotProduct>(mechanism.metric)
         || std::holds_alternative<SquaredEuclidean>(mechanism.metric);
}

template <class T>
Vector<double> HopfieldMemory<T>::energy(const Points<T>& queries, const Execution& run) const {
  require(has_energy(), "metric", "DotProduct() or SquaredEuclidean(), whose updates have an energy",
          repr(mechanism.metric));
  return energy_of<T>(mechanism.cross_operator(queries, patterns, {}, run), patterns, queries);
}

template <class T>
Retrieval<T> HopfieldMemory<T>::retrieve(const Points<T>& queries, const Execution& run) const {
  const double longest = patterns.template cast<double>().rowwise().norm().maxCoeff();
  Retrieval<T> r{queries, {}, {.converged = false, .solver = "iterate"}};
  while (true) {
    const CrossOperator<T> P = mechanism.cross_operator(r.states, patterns, {}, run);
    if (has_energy()) append_row(r.energies, energy_of<T>(P, patterns, r.states));
    if (r.report.converged || r.report.n_iter == max_iter) return r;
    const Matrix<T> next = P.apply(patterns, run);
    const double farthest = (next - r.states).template cast<double>().rowwise().norm().maxCoeff();
    r.report.residual = longest > 0 ? farthest / longest : farthest;
    r.report.converged = r.report.residual <= tol;
    r.states = next;
    ++r.report.n_iter;
  }
}

template struct HopfieldMemory<float>;
template struct HopfieldMemory<double>;
template HopfieldMemory<float> fit_hopfield_memory(const Points<float>&, const HopfieldOptions&);
template HopfieldMemory<double> fit_hopfield_memory(const Points<double>&, const HopfieldOptions&);

}  // namespace likewise
