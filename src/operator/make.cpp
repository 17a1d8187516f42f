#include "operator/make.hpp"

#include <atomic>
#include <limits>
#include <utility>

#include "engine/call.hpp"
#include "operator/csr.hpp"
#include "operator/given_neighbors.hpp"
#include "operator/scalings.hpp"
#include "operator/walk.hpp"

namespace likewise {
namespace {

// Up to this many weights a self-operator is stored: it is cheap, and most methods apply it more than once.
constexpr Index store_up_to = 1024 * 1024;

/// The rule's answer inside the kernel: a rule with one length becomes that number, a rule with a scale for
/// each point stays as it is.
ResolvedKernel resolve(const Kernel& kernel, const SelectedBandwidth& found) {
  if (!bandwidth_of(kernel)) return {kernel, found.length};
  const bool per_point = found.row_scale.size() || found.key_scale.size();
  return {per_point ? kernel : with_bandwidth(kernel, Bandwidth(found.length)), found.length, found.row_scale,
          found.key_scale, found.row_offset};
}

// --- 1. the kernel meets the points

template <class T> struct Assembled {
  std::shared_ptr<const KernelMatrix<T>> matrix;
  std::string asymmetry;
};

std::string asymmetry_of_laws(const Mechanism& m, const ResolvedKernel& kernel, const PairFilters& filters) {
  if (!filters.symmetric()) return "a symmetric support; " + repr(m.support) + " is not";
  if (kernel.row_scale.size() && kernel.key_scale.size() == 0)
    return "a bandwidth that is one for both points of a pair; " + repr(m.kernel) + " scales rows only";
  if (points_are_costs(m.metric) || traits(m.metric).symmetric) return {};
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
Assembled<T> assemble(const detail::OperatorState<T>& state, const Matrix<Index>* neighbors,
                      const Execution& run, const std::vector<Index>& loops = {}) {
  const Mechanism& m = state.mechanism;
  const ResolvedKernel& kernel = state.kernel;
  const engine::SharedPoints<T>& X = state.queries;
  const Askers askers = state.askers;
  PairFilters filters(m.support, {X->rows(), state.keys.rows(), askers});
  const bool self = askers == Askers::keys;
  if (is_sparse(m.support)) {
    Mechanism of_seen = m;
    of_seen.metric = state.keys.state().seen.metric;
    WeightedEdges edges = with_loops(
        neighbors
            ? edges_of_neighbors<T>(of_seen, kernel, filters, *X, state.keys.state(), *neighbors, self, run)
            : find_edges<T>(of_seen, kernel, filters, *X, state.keys.state(), self, run),
        loops, run);
    std::string missing;
    if (self && !symmetric(edges.log_weights, run))
      missing = "a symmetric graph; " + repr(m.support) + " gave a directed one";
    return {edge_kernel_matrix<T>(std::move(edges)), missing};
  }
  require(!neighbors, "support", "Neighbors where neighbors are given", repr(m.support));
  filters.keep_self(loops);
  // What a spectrum would miss; rows that are other points than the keys have none to begin with.
  std::string missing = self ? asymmetry_of_laws(m, kernel, filters) : std::string();
  if (self && missing.empty() && points_are_costs(m.metric) && *X != X->transpose())
    missing = "a symmetric metric; the precomputed costs are not";
  const engine::SharedKeys<T> keys = state.keys.state().prepared();
  const auto wide = [=] {
    const auto wide_keys = keys->widened();
    const auto queries = X == keys->shared()
                             ? wide_keys->shared()
                             : std::make_shared<const Matrix<double>>(X->template cast<double>());
    return make_tile_weights<double>(kernel, filters, queries, wide_keys);
  };
  return {tiled_kernel_matrix<T>(make_tile_weights<T>(kernel, filters, X, keys), wide), missing};
}

// --- 2. the scalings, and the storage

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

template <class T> LogSums row_sums_of(std::shared_ptr<const KernelMatrix<T>> K, int n_jobs) {
  return
      [K, n_jobs](const Vector<double>& bias) { return K->log_row_sums(bias, engine::of_this_call(n_jobs)); };
}

/// log r, of which the report says how it was found.
template <class T>
void set_right(detail::OperatorState<T>& state, const Vector<double>& own_weights, const LogSums& row_sums,
               const Execution& run) {
  constexpr double least_tol = 32 * static_cast<double>(std::numeric_limits<T>::epsilon());
  const LogSums column_sums = [&](const Vector<double>& bias) {
    return state.matrix->log_column_sums(bias.size() ? bias : Vector<double>::Zero(state.matrix->rows()),
                                         run);
  };
  state.scaling.log_right = std::make_shared<const Vector<double>>(
      log_right_scaling(state.mechanism.normalization, state.keys.log_weights(), own_weights, row_sums,
                        column_sums, least_tol, state.report));
}

using LazyVector = Lazy<Vector<double>>;
using SharedVector = std::shared_ptr<const Vector<double>>;

/// Row sums and l are computed when first asked for, unless r has needed the sums: a product of a
/// row-stochastic operator finds them in its own pass.
template <class T>
void set_left(detail::OperatorState<T>& state, const Vector<double>& own_weights, const Execution& run,
              const Vector<double>& row_sums = {}) {
  const LogSums sums = row_sums_of(state.matrix, run.n_jobs);
  const Normalization& rule = state.mechanism.normalization;
  const SharedVector log_w = state.keys.state().log_weights, log_right = state.scaling.log_right;
  state.log_row_sums =
      std::make_shared<const LazyVector>([=] { return row_sums.size() ? row_sums : sums(*log_w); });
  // Row sums under the key weights, which l may look at too, are computed once.
  const auto shared_sums = state.log_row_sums;
  const LogSums known = [=](const Vector<double>& bias) {
    return &bias == log_w.get() || bias == *log_w ? shared_sums->get() : sums(bias);
  };
  const Index n_rows = state.matrix->rows();
  state.scaling.log_left = std::make_shared<const LazyVector>(
      [=] { return log_left_scaling(rule, n_rows, *log_right, *log_w, own_weights, known); });
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

/// Whether a point may be left without any mass by kernel and support: everywhere but where each point speaks to itself.
bool may_isolate(const Mechanism& m, const PairFilters& filters) {
  return is_sparse(m.support) || !traits(m.metric).zero_on_self || filters.leaves_self_out();
}

/// Rows without mass. Where a point's weight on itself is 1, so is a row whose mass T cannot hold: beside such weights it is no
/// neighbor's.
template <class T> std::vector<Index> empty_rows(const Mechanism& m, const Vector<double>& log_row_sums) {
  const double least = traits(m.metric).zero_on_self
                           ? std::log(static_cast<double>(std::numeric_limits<T>::min()))
                           : -std::numeric_limits<double>::infinity();
  std::vector<Index> rows;
  for (Index i = 0; i < log_row_sums.size(); ++i)
    if (log_row_sums(i) < least || log_row_sums(i) == -std::numeric_limits<double>::infinity())
      rows.push_back(i);
  return rows;
}

/// Every pair of different points has a weight above 0. One pass over the tiles.
template <class T> bool weighs_all_pairs(const engine::LogWeights<T>& K, const Execution& run) {
  constexpr Index rows = 64, columns = 512;
  std::atomic<bool> all = true;
  engine::parallel_blocks(engine::block_count(K.rows(), rows), run, "looking for weights of 0", [&](Index b) {
    const auto [i0, n] = engine::block_of(b, K.rows(), rows);
    Matrix<T> tile(n, columns);
    for (Index j0 = 0; j0 < K.cols() && all; j0 += columns) {
      const Index m = std::min(columns, K.cols() - j0);
      K.fill(i0, j0, tile.leftCols(m));
      for (Index a = 0; a < n; ++a)
        if (const Index self = i0 + a - j0; self >= 0 && self < m) tile(a, self) = T(0);
      if (tile.leftCols(m).minCoeff() == -std::numeric_limits<T>::infinity()) all = false;
    }
  });
  return all;
}

/// Sinkhorn needs total support, or it never ends. A symmetric kernel has it where each point speaks to itself, and where
/// each of three or more speaks to all others.
template <class T> void check_bistochastic(const detail::OperatorState<T>& state, const Execution& run) {
  if (!std::holds_alternative<Bistochastic>(state.mechanism.normalization)) return;
  require(state.asymmetry.empty(), "normalization", "another than Bistochastic() without " + state.asymmetry,
          "Bistochastic()");
  const Vector<double> log_diagonal = state.matrix->log_diagonal();
  if ((log_diagonal.array() > -std::numeric_limits<double>::infinity()).all()) return;
  const auto tiles = state.matrix->tiles();
  require(tiles && tiles->rows() > 2 && weighs_all_pairs<T>(*tiles, run), "normalization",
          "another than Bistochastic() on a support without the points themselves (no total support; use "
          "include_self)",
          "Bistochastic() on " + repr(state.mechanism.support));
}

}  // namespace

template <class T>
detail::OperatorState<T> met_keys(const Mechanism& mechanism, const SelectedBandwidth& found,
                                  const PreparedKeys<T>& keys) {
  detail::OperatorState<T> state;
  state.keys = keys;
  state.bandwidth = found;
  state.kernel = resolve(mechanism.kernel, found);
  state.mechanism = mechanism;
  state.mechanism.kernel = state.kernel.kernel;
  state.scaling.log_right = keys.state().log_weights;
  return state;
}

template <class T>
SelfOperator<T> self_operator_of(detail::OperatorState<T> keys, const std::string& storage,
                                 const Execution& run, const Matrix<Index>* neighbors) {
  auto state = std::make_shared<detail::OperatorState<T>>(std::move(keys));
  state->queries = state->keys.state().asking(run);
  state->askers = Askers::keys;
  const Mechanism& mechanism = state->mechanism;
  const Index n = state->keys.rows();
  const Vector<double>& log_w = state->keys.log_weights();

  Assembled<T> assembled = assemble<T>(*state, neighbors, run);
  const PairFilters filters(mechanism.support, {n, n, Askers::keys});
  Vector<double> row_sums;  // of the key weights, where somebody needs them
  if (mechanism.empty_row == EmptyRow::self && may_isolate(mechanism, filters)) {
    row_sums = assembled.matrix->log_row_sums(log_w, run);
    state->isolated = empty_rows<T>(mechanism, row_sums);
    if (!state->isolated.empty()) {
      row_sums = {};
      assembled = assemble<T>(*state, neighbors, run, state->isolated);
    }
  }
  state->matrix = std::move(assembled.matrix);
  state->asymmetry = std::move(assembled.asymmetry);
  check_bistochastic(*state, run);

  const LogSums sums = row_sums_of(state->matrix, run.n_jobs);
  const LogSums known = [&](const Vector<double>& bias) {
    if (bias != log_w) return sums(bias);
    if (row_sums.size() == 0) row_sums = sums(bias);
    return row_sums;
  };
  if (right_from(mechanism.normalization) != RightFrom::key_weights) set_right(*state, log_w, known, run);
  if (!state->report.converged && run.not_converged) run.not_converged(state->report);
  set_left(*state, log_w, run, row_sums);
  if (mechanism.empty_row == EmptyRow::error) check_empty_rows(mechanism, state->log_row_sums->get());
  state->storage = choose_storage(storage, *state->matrix, true, run);
  state->map = state->matrix->scaled(state->scaling, state->storage, run);
  return SelfOperator<T>(std::move(state));
}

template <class T>
CrossOperator<T> cross_operator_of(const detail::OperatorState<T>& keys, const Points<T>& X,
                                   const Points<T>& seen_X, const RowScales& of_rows, Askers askers,
                                   const std::string& storage, const Execution& run,
                                   const Matrix<Index>* neighbors) {
  auto state = std::make_shared<detail::OperatorState<T>>(keys);
  state->queries = std::make_shared<const Matrix<T>>(seen_X);
  if (keys.keys.state().seen.maps()) state->given_queries = std::make_shared<const Matrix<T>>(X);
  state->askers = askers;
  state->kernel.row_scale = state->bandwidth.row_scale = of_rows.scale;
  state->kernel.row_offset = state->bandwidth.row_offset = of_rows.offset;
  state->matrix = assemble<T>(*state, neighbors, run).matrix;
  state->asymmetry = "a square operator; this one goes from queries to keys";
  if (right_from(state->mechanism.normalization) == RightFrom::columns)
    set_right(*state, {}, row_sums_of(state->matrix, run.n_jobs), run);
  set_left(*state, {}, run);
  state->scaling.divides_products = true;
  if (state->mechanism.empty_row == EmptyRow::error)
    check_empty_rows(state->mechanism, state->log_row_sums->get());
  state->storage = choose_storage(storage, *state->matrix, false, run);
  state->map = state->matrix->scaled(state->scaling, state->storage, run);
  return CrossOperator<T>(std::move(state));
}

template <class T> SelfOperator<T> walk_of(const SelfOperator<T>& P, const Execution& run) {
  auto state = std::make_shared<detail::OperatorState<T>>(P.state());
  state->mechanism.normalization = RowStochastic{};
  state->scaling.log_right = state->keys.state().log_weights;
  set_left(*state, state->keys.log_weights(), run, state->log_row_sums->get());
  state->storage = is_sparse(state->mechanism.support) ? "sparse" : "streamed";
  state->map = state->matrix->scaled(state->scaling, state->storage, run);
  return SelfOperator<T>(std::move(state));
}

#define LIKEWISE_INSTANTIATE(T)                                                                             \
  template detail::OperatorState<T> met_keys(const Mechanism&, const SelectedBandwidth&,                    \
                                             const PreparedKeys<T>&);                                       \
  template SelfOperator<T> self_operator_of(detail::OperatorState<T>, const std::string&, const Execution&, \
                                            const Matrix<Index>*);                                          \
  template CrossOperator<T> cross_operator_of(const detail::OperatorState<T>&, const Points<T>&,            \
                                              const Points<T>&, const RowScales&, Askers,                   \
                                              const std::string&, const Execution&, const Matrix<Index>*);  \
  template SelfOperator<T> walk_of(const SelfOperator<T>&, const Execution&);
LIKEWISE_INSTANTIATE(float)
LIKEWISE_INSTANTIATE(double)
#undef LIKEWISE_INSTANTIATE

}  // namespace likewise
