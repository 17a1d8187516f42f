#include <likewise/operator.hpp>

#include <limits>
#include <utility>

#include "engine/call.hpp"
#include "operator/sparse_map.hpp"
#include "operator/state.hpp"
#include "operator/symmetric_form.hpp"
#include "operator/with_entries.hpp"

namespace likewise {

template <class T>
PropagationOperator<T>::PropagationOperator(std::shared_ptr<const detail::OperatorState<T>> state)
    : LinearMap<T>(state->map), state_(std::move(state)) {}

template <class T> const detail::OperatorState<T>& PropagationOperator<T>::state() const {
  this->implementation();  // refuses an empty one
  return *state_;
}
template <class T> const std::string& PropagationOperator<T>::storage() const {
  return this->state().storage;
}
template <class T> const Mechanism& PropagationOperator<T>::mechanism() const {
  return this->state().mechanism;
}
template <class T> const SelectedBandwidth& PropagationOperator<T>::bandwidth() const {
  return this->state().bandwidth;
}
template <class T> const Vector<double>& PropagationOperator<T>::log_row_sums(const Execution& run) const {
  const engine::Call call(run);
  return this->state().log_row_sums->get();
}
template <class T> const Vector<double>& PropagationOperator<T>::log_left(const Execution& run) const {
  const engine::Call call(run);
  return this->state().scaling.log_left->get();
}
template <class T> const Vector<double>& PropagationOperator<T>::log_right() const {
  return *this->state().scaling.log_right;
}
template <class T> const Matrix<T>& PropagationOperator<T>::keys() const {
  return this->state().keys.points();
}
template <class T> const Vector<double>& PropagationOperator<T>::log_key_weights() const {
  return this->state().keys.log_weights();
}
template <class T> const IterationReport& PropagationOperator<T>::report() const {
  return this->state().report;
}

namespace {

/// The scaled map with its entries.
template <class T>
std::shared_ptr<const LinearMapStorage<T>> entries_of(const detail::OperatorState<T>& state,
                                                      const std::string& storage, const Execution& run) {
  Scaling scaling = state.scaling;
  scaling.divides_products = false;
  return state.matrix->scaled(scaling, storage, run);
}

}  // namespace

template <class T> Matrix<T> PropagationOperator<T>::dense(const Execution& run) const {
  const engine::Call call(run);
  if (const Matrix<T>* stored = dense_matrix_of(*this->state().map)) return *stored;
  const std::string shape = std::to_string(this->rows()) + " x " + std::to_string(this->cols());
  run.require_memory(static_cast<double>(this->rows()) * static_cast<double>(this->cols()) * sizeof(T),
                     "the matrix itself", "multiply with the operator instead",
                     shape + (sizeof(T) == 4 ? " float32" : " float64"));
  if (const SparseMatrix<T>* stored = sparse_matrix_of(*this->state().map)) return Matrix<T>(*stored);
  return *dense_matrix_of(*entries_of(this->state(), "dense", run));
}

template <class T> SparseMatrix<T> PropagationOperator<T>::sparse(const Execution& run) const {
  const engine::Call call(run);
  if (const SparseMatrix<T>* stored = sparse_matrix_of(*this->state().map)) return *stored;
  return *sparse_matrix_of(*entries_of(this->state(), "sparse", run));
}

template <class T> const std::vector<Index>& SelfOperator<T>::isolated() const {
  return this->state().isolated;
}

template <class T> Vector<double> SelfOperator<T>::log_stationary() const {
  const auto difference = [](double r, double l) {
    return r == -std::numeric_limits<double>::infinity() ? r : r - l;
  };
  return this->log_right().binaryExpr(this->log_left(), difference);
}

template <class T> std::string asymmetry(const SelfOperator<T>& P) { return P.state().asymmetry; }

template <class T>
std::shared_ptr<const LinearMapStorage<T>> symmetric_form(const SelfOperator<T>& P,
                                                          const std::string& storage, const Execution& run) {
  const std::string missing = asymmetry(P);
  const Metric& metric = P.mechanism().metric;
  require_law(missing.empty() || points_are_costs(metric) || traits(metric).symmetric, metric,
              "a symmetric metric", "a spectrum");
  require(missing.empty(), "mechanism",
          missing.empty() ? "" : "one whose operator has a spectrum, which needs " + missing,
          repr(P.mechanism()));
  const Vector<double> half = 0.5 * (P.log_left() + P.log_right());
  const Scaling scaling{.log_left = std::make_shared<const Lazy<Vector<double>>>(half),
                        .log_right = std::make_shared<const Vector<double>>(half)};
  return P.state().matrix->scaled(scaling, storage, run);
}

template <class T> SelfOperator<T> with_entries(const SelfOperator<T>& P, SparseMatrix<T>&& entries) {
  auto state = std::make_shared<detail::OperatorState<T>>(P.state());
  state->storage = "sparse";
  state->map = std::make_shared<const SparseMap<T>>(std::move(entries));
  return SelfOperator<T>(std::move(state));
}

template <class T>
SymmetricOperator<T>::SymmetricOperator(const SelfOperator<T>& P, const Execution& run)
    : LinearMap<T>(symmetric_form(P, P.storage(), run)), origin_(P), log_scale_(0.5 * P.log_stationary()) {}

#define LIKEWISE_INSTANTIATE(T)                                                                             \
  template class PropagationOperator<T>;                                                                    \
  template class CrossOperator<T>;                                                                          \
  template const std::vector<Index>& SelfOperator<T>::isolated() const;                                     \
  template Vector<double> SelfOperator<T>::log_stationary() const;                                          \
  template class SymmetricOperator<T>;                                                                      \
  template std::shared_ptr<const LinearMapStorage<T>> symmetric_form(const SelfOperator<T>&,                \
                                                                     const std::string&, const Execution&); \
  template SelfOperator<T> with_entries(const SelfOperator<T>&, SparseMatrix<T>&&);                         \
  template std::string asymmetry(const SelfOperator<T>&);
LIKEWISE_INSTANTIATE(float)
LIKEWISE_INSTANTIATE(double)
#undef LIKEWISE_INSTANTIATE

}  // namespace likewise
