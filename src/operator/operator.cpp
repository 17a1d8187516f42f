#include <limits>
#include <utility>

#include <likewise/operator.hpp>
#include <likewise/select_bandwidth.hpp>

#include "engine/call.hpp"
#include "operator/checks.hpp"
#include "operator/csr.hpp"
#include "operator/new_points.hpp"
#include "operator/scalings.hpp"
#include "operator/sparse_map.hpp"
#include "operator/state.hpp"
#include "operator/symmetric_form.hpp"
#include "operator/with_entries.hpp"

namespace likewise {
namespace {

// Up to this many weights a self-operator is stored: it is cheap, and most methods apply it more than once.
constexpr Index store_up_to = 1024 * 1024;

// --- 1. the kernel gets its length
// --------------------------------------------------------------------------------

SelectedBandwidth number(double length) { return {.length = length}; }

template <class T>
SelectedBandwidth find_bandwidth(const Mechanism& m, const Points<T>& Z, const Vector<double>& log_w,
                                 const Execution& run) {
  const Bandwidth* asked = bandwidth_of(m.kernel);
  if (!asked || asked->is_number()) return number(scale_of(m.kernel));
  const std::string rule = asked->is_open() ? "median" : asked->rule();
  require(rule != "loo", "bandwidth", "a number or a rule that needs no target on a bare mechanism", "'loo'");
  return select_bandwidth<T>(rule, m.metric, m.kernel, Z, {.log_key_weights = log_w}, run);
}

/// The rule's answer inside the kernel: a rule with one length becomes that number, a rule with a scale for
/// each point stays as it is.
ResolvedKernel resolve(const Kernel& kernel, const SelectedBandwidth& found) {
  if (!bandwidth_of(kernel)) return {kernel, found.length};
  const bool per_point = found.row_scale.size() || found.key_scale.size();
  return {per_point ? kernel : with_bandwidth(kernel, Bandwidth(found.length)), found.length, found.row_scale,
          found.key_scale};
}

// --- 2. the kernel meets the points
// -------------------------------------------------------------------------------

template <class T> struct Assembled {
  std::shared_ptr<const KernelMatrix<T>> matrix;
  std::string asymmetry;
};

std::string asymmetry_of_laws(const Mechanism& m, const ResolvedKernel& kernel, const PairFilters& filters) {
  if (!filters.symmetric()) return "a symmetric support; " + repr(m.support) + " is not";
  if (kernel.row_scale.size() && kernel.key_scale.size() == 0)
    return "a bandwidth that is one for both points of a pair; " + repr(m.kernel) + " scales rows only";
  if (std::holds_alternative<Precomputed>(m.metric) || traits(m.metric).symmetric) return {};
  return "a symmetric metric; " + repr(m.metric) + " is not";
}

/// Whether two log weights are one weight.
bool same_weight(double a, double b) {
  if (a == b) return true;
  const double u = std::exp(a), v = std::exp(b);
  return std::abs(u - v) <= 1e-12 * std::max(u, v);
}

/// A directed graph is mostly found out by looking up the first rows' edges the other way round; a symmetric one is its
/// transpose.
bool symmetric(const SparseMatrix<double>& A, const Execution& run) {
  constexpr Index looked_up = 64;
  if (A.rows() != A.cols()) return false;
  for (Index i = 0; i < std::min(looked_up, A.rows()); ++i)
    for (SparseMatrix<double>::InnerIterator edge(A, i); edge; ++edge) {
      const int* columns = A.innerIndexPtr();
      if (!std::binary_search(columns + A.outerIndexPtr()[edge.col()],
                              columns + A.outerIndexPtr()[edge.col() + 1], static_cast<int>(i)))
        return false;
    }
  const SparseMatrix<double> B = csr::transposed(A, run);
  if (!std::equal(A.outerIndexPtr(), A.outerIndexPtr() + A.rows(), B.outerIndexPtr())) return false;
  const Index n = A.nonZeros();
  return std::equal(A.innerIndexPtr(), A.innerIndexPtr() + n, B.innerIndexPtr())
         && std::equal(A.valuePtr(), A.valuePtr() + n, B.valuePtr(), same_weight);
}

/// The edges and, with weight 1, those of `loops` with themselves.
WeightedEdges with_loops(WeightedEdges edges, const std::vector<Index>& loops, const Execution& run) {
  if (loops.empty()) return edges;
  const SparseMatrix<double>& A = edges.log_weights;
  std::vector<bool> alone(static_cast<std::size_t>(A.rows()));
  for (const Index i : loops) alone[static_cast<std::size_t>(i)] = true;
  SparseMatrix<double> with = csr::written<double>(
      A.rows(), A.cols(), 10.0 * static_cast<double>(A.nonZeros()), run, [&](Index i, auto& row) {
        const bool loop = alone[static_cast<std::size_t>(i)];
        for (SparseMatrix<double>::InnerIterator e(A, i); e; ++e)
          if (!loop || e.col() != i) row.put(e.col(), e.value());
        if (loop) row.put(i, 0.0);
      });
  return {std::move(with), std::move(edges.nearest)};
}

template <class T>
Assembled<T> assemble(const Mechanism& m, const ResolvedKernel& kernel, const engine::SharedPoints<T>& X,
                      const engine::SharedPoints<T>& Z, bool self, const Execution& run,
                      const std::vector<Index>& loops = {}) {
  PairFilters filters(m.support, X->rows(), Z->rows());
  if (is_sparse(m.support)) {
    WeightedEdges edges = with_loops(
        find_edges(m, kernel, filters, X->template cast<double>(), Z->template cast<double>(), self, run),
        loops, run);
    std::string missing;
    if (self && !symmetric(edges.log_weights, run))
      missing = "a symmetric graph; " + repr(m.support) + " gave a directed one";
    return {edge_kernel_matrix<T>(std::move(edges)), missing};
  }
  filters.keep_self(loops);
  // What a spectrum would miss; rows that are other points than the keys have none to begin with.
  std::string missing = self ? asymmetry_of_laws(m, kernel, filters) : std::string();
  if (self && missing.empty() && std::holds_alternative<Precomputed>(m.metric) && *X != X->transpose())
    missing = "a symmetric metric; the precomputed costs are not";
  return {tiled_kernel_matrix<T>(make_tile_weights<T>(m.metric, kernel, filters, X, Z)), missing};
}

// --- 3. the scalings, and the storage
// -----------------------------------------------------------------------------

template <class T>
std::string choose_storage(const std::string& asked, const KernelMatrix<T>& K, bool self,
                           const Execution& run) {
  const std::vector<std::string> offered = K.storages();
  std::string storage = asked;
  if (asked == "auto") {
    storage = offered.front();
    if (self && storage == "streamed" && K.rows() * K.cols() <= store_up_to) storage = "dense";
  }
  std::string names = "'auto'";
  for (const std::string& name : offered) names += ", '" + name + "'";
  require(std::find(offered.begin(), offered.end(), storage) != offered.end(), "storage",
          "one of " + names + " for this support", "'" + asked + "'");
  if (storage == "dense")
    run.require_memory(
        static_cast<double>(K.rows()) * static_cast<double>(K.cols()) * sizeof(T),
        "a dense operator (" + std::to_string(K.rows()) + " x " + std::to_string(K.cols()) + ")",
        "use the storage 'streamed'");
  return storage;
}

template <class T> LogRowSums row_sums_of(std::shared_ptr<const KernelMatrix<T>> K, const Execution& run) {
  return [K, run](const Vector<double>& bias) { return K->log_row_sums(bias, run); };
}

using LazyVector = Lazy<Vector<double>>;

/// Row sums and l are computed when first asked for, unless r has needed the sums: a product of a
/// row-stochastic operator finds them in its own pass.
template <class T>
void set_left(detail::OperatorState<T>& state, const Vector<double>& own_weights, const Execution& run,
              const Vector<double>& row_sums = {}) {
  const LogRowSums sums = row_sums_of(state.matrix, Execution{.n_jobs = run.n_jobs});
  const Normalization& rule = state.mechanism.normalization;
  const Vector<double> log_w = state.log_key_weights, log_right = state.scaling.log_right;
  state.log_row_sums =
      std::make_shared<const LazyVector>([=] { return row_sums.size() ? row_sums : sums(log_w); });
  // Row sums under the key weights, which l may look at too, are computed once.
  const auto shared_sums = state.log_row_sums;
  const LogRowSums known = [=](const Vector<double>& bias) {
    return bias == log_w ? shared_sums->get() : sums(bias);
  };
  const Index n_rows = state.matrix->rows();
  state.scaling.log_left = std::make_shared<const LazyVector>(
      [=] { return log_left_scaling(rule, n_rows, log_right, log_w, own_weights, known); });
  state.scaling.by_row_mass = divides_by_row_mass(rule);
  state.scaling.null_mass = null_mass(rule);
  const EmptyRow policy = state.mechanism.empty_row;
  state.scaling.empty_row = policy == EmptyRow::self ? EmptyRow::nearest : policy;
}

void check_empty_rows(const Mechanism& m, const Vector<double>& log_row_sums) {
  const bool may_be_empty =
      std::holds_alternative<Unnormalized>(m.normalization) || null_mass(m.normalization) > 0;
  if (m.empty_row != EmptyRow::error || may_be_empty) return;
  for (Index i = 0; i < log_row_sums.size(); ++i)
    require(
        log_row_sums(i) > -std::numeric_limits<double>::infinity(), "empty_row",
        "'zero' or 'nearest' where a row of the operator has no mass (or widen the bandwidth or the support)",
        "'error' and row " + std::to_string(i) + " without mass");
}

/// Whether a point may be left without any mass by kernel and support.
bool may_isolate(const Mechanism& m) {
  if (is_sparse(m.support) || traits(m.kernel).compact) return true;
  return std::any_of(m.support.filters().begin(), m.support.filters().end(),
                     [](const PairFilter& filter) { return !std::holds_alternative<LeaveOneOut>(filter); });
}

std::vector<Index> empty_rows(const Vector<double>& log_row_sums) {
  std::vector<Index> rows;
  for (Index i = 0; i < log_row_sums.size(); ++i)
    if (log_row_sums(i) == -std::numeric_limits<double>::infinity()) rows.push_back(i);
  return rows;
}

/// Sinkhorn needs total support, or it never ends: a positive diagonal of a symmetric kernel has it.
template <class T>
void check_bistochastic(const detail::OperatorState<T>& state, const PairFilters& filters, Index n) {
  if (!std::holds_alternative<Bistochastic>(state.mechanism.normalization)) return;
  require(state.asymmetry.empty(), "normalization", "another than Bistochastic() without " + state.asymmetry,
          "Bistochastic()");
  const bool full = !is_sparse(state.mechanism.support) && !traits(state.mechanism.kernel).compact && n > 2;
  bool diagonal = !filters.leaves_self_out();
  if (is_sparse(state.mechanism.support))
    diagonal = (state.matrix->log_diagonal().array() > -std::numeric_limits<double>::infinity()).all();
  require(diagonal || full, "normalization",
          "another than Bistochastic() on a support without the points themselves (no total support; use "
          "include_self)",
          "Bistochastic() on " + repr(state.mechanism.support));
}

}  // namespace

template <class T>
SelfOperator<T> make_self_operator(const Mechanism& mechanism, const Points<T>& Z,
                                   const OperatorOptions& options, const Execution& run) {
  const engine::Call call(run);
  check_points<T>("Z", Z);
  validate(mechanism);
  auto state = std::make_shared<detail::OperatorState<T>>();
  state->log_key_weights = checked_log_weights(options.log_key_weights, Z.rows());
  state->keys = state->queries = std::make_shared<const Matrix<T>>(Z);
  state->bandwidth = find_bandwidth<T>(mechanism, Z, options.log_key_weights, run);
  state->kernel = resolve(mechanism.kernel, state->bandwidth);
  state->mechanism = mechanism;
  state->mechanism.kernel = state->kernel.kernel;

  Assembled<T> assembled = assemble<T>(mechanism, state->kernel, state->keys, state->keys, true, run);
  if (mechanism.empty_row == EmptyRow::self && may_isolate(mechanism)) {
    state->isolated = empty_rows(assembled.matrix->log_row_sums(state->log_key_weights, run));
    if (!state->isolated.empty())
      assembled = assemble<T>(mechanism, state->kernel, state->keys, state->keys, true, run, state->isolated);
  }
  state->matrix = std::move(assembled.matrix);
  state->asymmetry = std::move(assembled.asymmetry);
  check_bistochastic(*state, PairFilters(mechanism.support, Z.rows(), Z.rows()), Z.rows());

  constexpr double least_tol = 32 * static_cast<double>(std::numeric_limits<T>::epsilon());
  const Vector<double>& log_w = state->log_key_weights;
  const LogRowSums sums = row_sums_of(state->matrix, run);
  Vector<double> row_sums;  // of the key weights, where r needs them
  const LogRowSums known = [&](const Vector<double>& bias) {
    if (bias != log_w) return sums(bias);
    if (row_sums.size() == 0) row_sums = sums(bias);
    return row_sums;
  };
  state->scaling.log_right =
      log_right_scaling(mechanism.normalization, log_w, known, least_tol, state->report);
  set_left(*state, log_w, run, row_sums);
  if (mechanism.empty_row == EmptyRow::error) check_empty_rows(mechanism, state->log_row_sums->get());
  state->storage = choose_storage(options.storage, *state->matrix, true, run);
  state->map = state->matrix->scaled(state->scaling, state->storage, run);
  return SelfOperator<T>(std::move(state));
}

namespace {

/// New rows X for the keys of `origin`, whose r is kept.
template <class T>
CrossOperator<T> extend(const detail::OperatorState<T>& origin, const Points<T>& X,
                        const std::string& storage, const Execution& run) {
  check_points<T>("X", X);
  auto state = std::make_shared<detail::OperatorState<T>>(origin);
  state->queries = std::make_shared<const Matrix<T>>(X);
  if (state->bandwidth.row_scale.size()) {
    state->kernel.row_scale =
        row_scales_at<T>(origin.bandwidth, origin.mechanism.metric, origin.mechanism.kernel, X, *origin.keys,
                         {.log_key_weights = origin.log_key_weights}, run);
    state->bandwidth.row_scale = state->kernel.row_scale;
  }
  state->matrix =
      assemble<T>(state->mechanism, state->kernel, state->queries, origin.keys, false, run).matrix;
  state->asymmetry = "a square operator; this one goes from queries to keys";
  set_left(*state, {}, run);
  state->scaling.divides_products = true;
  if (state->mechanism.empty_row == EmptyRow::error)
    check_empty_rows(state->mechanism, state->log_row_sums->get());
  state->storage = choose_storage(storage, *state->matrix, false, run);
  state->map = state->matrix->scaled(state->scaling, state->storage, run);
  return CrossOperator<T>(std::move(state));
}

}  // namespace

template <class T>
CrossOperator<T> make_cross_operator(const Mechanism& mechanism, const Points<T>& X, const Points<T>& Z,
                                     const OperatorOptions& options, const Execution& run) {
  const engine::Call call(run);
  const Bandwidth* asked = bandwidth_of(mechanism.kernel);
  const bool own_scales = asked && (asked->rule() == "self_tuning" || asked->rule() == "perplexity");
  if (!right_is_key_weight(mechanism.normalization) || own_scales) {
    const OperatorOptions keys_only{options.log_key_weights,
                                    is_sparse(mechanism.support) ? "sparse" : "streamed"};
    return extend(make_self_operator<T>(mechanism, Z, keys_only, run).state(), X, options.storage, run);
  }
  // r is the key weight: nothing of the keys' own operator is needed.
  check_points<T>("Z", Z);
  validate(mechanism);
  detail::OperatorState<T> origin;
  origin.log_key_weights = checked_log_weights(options.log_key_weights, Z.rows());
  origin.keys = std::make_shared<const Matrix<T>>(Z);
  origin.bandwidth = find_bandwidth<T>(mechanism, Z, options.log_key_weights, run);
  origin.kernel = resolve(mechanism.kernel, origin.bandwidth);
  origin.mechanism = mechanism;
  origin.mechanism.kernel = origin.kernel.kernel;
  origin.scaling.log_right = origin.log_key_weights;
  return extend(origin, X, options.storage, run);
}

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
template <class T> const Vector<double>& PropagationOperator<T>::log_row_sums() const {
  return this->state().log_row_sums->get();
}
template <class T> const Vector<double>& PropagationOperator<T>::log_left() const {
  return this->state().scaling.log_left->get();
}
template <class T> const Vector<double>& PropagationOperator<T>::log_right() const {
  return this->state().scaling.log_right;
}
template <class T> const Matrix<T>& PropagationOperator<T>::keys() const { return *this->state().keys; }
template <class T> const Vector<double>& PropagationOperator<T>::log_key_weights() const {
  return this->state().log_key_weights;
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

template <class T> CrossOperator<T> SelfOperator<T>::at(const Points<T>& X, const Execution& run) const {
  const engine::Call call(run);
  return extend(this->state(), X, "auto", run);
}

template <class T> const std::vector<Index>& SelfOperator<T>::isolated() const {
  return this->state().isolated;
}

template <class T>
CrossOperator<T> at_new_points(const SelfOperator<T>& P, const Points<T>& X, const Execution& run) {
  detail::OperatorState<T> origin = P.state();
  Support others;
  for (const PairFilter& filter : origin.mechanism.support.filters())
    if (!std::holds_alternative<LeaveOneOut>(filter))
      others = others & std::visit([](const auto& leaf) { return Support(leaf); }, filter);
  const Support& own = origin.mechanism.support;
  if (const Neighbors* neighbors = own.neighbors()) others = others & *neighbors;
  if (const auto* radius = std::get_if<Radius>(&own.selector())) others = others & *radius;
  origin.mechanism.support = others;
  origin.mechanism.empty_row = EmptyRow::nearest;
  if (std::holds_alternative<Symmetric>(origin.mechanism.normalization)) {
    origin.mechanism.normalization = RowStochastic{};
    origin.scaling.log_right = origin.log_key_weights;
  }
  return extend(origin, X, "auto", run);
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
  require(missing.empty(), "mechanism",
          missing.empty() ? "" : "one whose operator has a spectrum, which needs " + missing,
          repr(P.mechanism()));
  const Vector<double> half = 0.5 * (P.log_left() + P.log_right());
  const Scaling scaling{.log_left = std::make_shared<const LazyVector>(half), .log_right = half};
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
  template SelfOperator<T> make_self_operator(const Mechanism&, const Points<T>&, const OperatorOptions&,   \
                                              const Execution&);                                            \
  template CrossOperator<T> make_cross_operator(const Mechanism&, const Points<T>&, const Points<T>&,       \
                                                const OperatorOptions&, const Execution&);                  \
  template class PropagationOperator<T>;                                                                    \
  template class CrossOperator<T>;                                                                          \
  template class SelfOperator<T>;                                                                           \
  template class SymmetricOperator<T>;                                                                      \
  template std::shared_ptr<const LinearMapStorage<T>> symmetric_form(const SelfOperator<T>&,                \
                                                                     const std::string&, const Execution&); \
  template CrossOperator<T> at_new_points(const SelfOperator<T>&, const Points<T>&, const Execution&);      \
  template SelfOperator<T> with_entries(const SelfOperator<T>&, SparseMatrix<T>&&);                         \
  template std::string asymmetry(const SelfOperator<T>&);
LIKEWISE_INSTANTIATE(float)
LIKEWISE_INSTANTIATE(double)
#undef LIKEWISE_INSTANTIATE

}  // namespace likewise
