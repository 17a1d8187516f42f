#include <likewise/equilibrium.hpp>

#include "engine/call.hpp"
#include "operator/csr.hpp"
#include "operator/state.hpp"

namespace likewise {
namespace {

/// Breadth first against the edges: `visit_sources(j, put)` calls put(i) for every i that asks j.
template <class VisitSources>
std::vector<bool> search(const std::vector<bool>& seeds, const VisitSources& visit_sources) {
  std::vector<bool> reached = seeds;
  std::vector<Index> queue;
  for (std::size_t i = 0; i < seeds.size(); ++i)
    if (seeds[i]) queue.push_back(static_cast<Index>(i));
  const auto put = [&](Index i) {
    if (reached[static_cast<std::size_t>(i)]) return;
    reached[static_cast<std::size_t>(i)] = true;
    queue.push_back(i);
  };
  for (std::size_t next = 0; next < queue.size() && queue.size() < seeds.size(); ++next)
    visit_sources(queue[next], put);
  return reached;
}

template <class T>
std::vector<bool> search_by_products(const LinearMap<T>& P, const std::vector<bool>& seeds,
                                     const Execution& run) {
  Matrix<T> reached(P.rows(), 1);
  for (Index i = 0; i < P.rows(); ++i) reached(i, 0) = seeds[static_cast<std::size_t>(i)] ? T(1) : T(0);
  for (Index before = -1, now = 0; now != before;) {
    before = now;
    const Matrix<T> asks = P.apply(reached, run);
    reached = (asks.array() > T(0)).select(T(1), reached);
    now = (reached.array() > T(0)).count();
  }
  std::vector<bool> result(seeds.size());
  for (std::size_t i = 0; i < seeds.size(); ++i) result[i] = reached(static_cast<Index>(i), 0) > T(0);
  return result;
}

}  // namespace

template <class T>
std::vector<bool> unreached_rows(const SelfOperator<T>& P, const std::vector<bool>& seeds,
                                 const Execution& run) {
  const engine::Call call(run);
  const LinearMapStorage<T>& map = *P.state().map;
  std::vector<bool> rows;
  if (const SparseMatrix<T>* sparse = sparse_matrix_of(map)) {
    const SparseMatrix<T> askers = csr::transposed(*sparse, run);
    rows = search(seeds, [&](Index j, const auto& put) {
      for (typename SparseMatrix<T>::InnerIterator edge(askers, j); edge; ++edge)
        if (edge.value() != T(0)) put(edge.col());
    });
  } else if (const Matrix<T>* dense = dense_matrix_of(map)) {
    rows = search(seeds, [&](Index j, const auto& put) {
      for (Index i = 0; i < dense->rows(); ++i)
        if ((*dense)(i, j) != T(0)) put(i);
    });
  } else {
    rows = search_by_products(P, seeds, run);
  }
  rows.flip();
  return rows;
}

template std::vector<bool> unreached_rows(const SelfOperator<float>&, const std::vector<bool>&,
                                          const Execution&);
template std::vector<bool> unreached_rows(const SelfOperator<double>&, const std::vector<bool>&,
                                          const Execution&);

}  // namespace likewise
