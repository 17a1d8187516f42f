#include <likewise/algorithms/parts/neighbor_votes.hpp>

#include <algorithm>
#include <cmath>
#include <type_traits>

#include <likewise/operator.hpp>

#include "engine/block_products.hpp"
#include "engine/call.hpp"
#include "engine/parallel.hpp"
#include "neighbors/search.hpp"
#include "operator/edges.hpp"
#include "operator/state.hpp"
#include "training_data.hpp"

namespace likewise {
namespace {

constexpr Index rows_per_block = 256;
using Edge = SparseMatrix<double>::InnerIterator;

/// Within a radius nobody knows beforehand how many neighbors there are: so many queries at a time that their edges
/// stay few, and that the search is prepared at most four times for as many queries as keys.
Index queries_at_a_time(const Mechanism& m, Index n_queries, Index n_keys) {
  constexpr Index least = 256;
  return m.support.neighbors() || !m.support.filters().empty()
             ? n_queries
             : std::min(n_queries, std::max(least, n_keys / 4));
}

template <class Operator> UndividedRows rows_of(const Operator& P, const Execution& run) {
  return std::move(*P.state().matrix->undivided(P.state().scaling, run));
}

template <class Work> void over_rows(const UndividedRows& rows, const Execution& run, const Work& work) {
  const Index n = rows.weights.rows();
  const Execution threads = engine::sized(run, 4.0 * static_cast<double>(rows.weights.nonZeros()));
  engine::parallel_blocks(engine::block_count(n, rows_per_block), threads, "counting votes", [&](Index b) {
    const engine::Block block = engine::block_of(b, n, rows_per_block);
    work(block.begin, block.begin + block.size);
  });
}

}  // namespace

namespace {

/// Who lies within a radius is what radius_neighbors tells, which rounds its distances to the points' precision.
template <class T> Mechanism as_told(Mechanism m) {
  if (const auto* radius = std::get_if<Radius>(&m.support.selector())) {
    Support support = Radius{neighbors::before_rounding<T>(radius->radius)};
    for (const PairFilter& filter : m.support.filters())
      support = support & std::visit([](const auto& leaf) { return Support(leaf); }, filter);
    m.support = support;
  }
  return m;
}

}  // namespace

template <class T>
void visit_neighbors(const Mechanism& asked, const Points<T>* X, const PreparedKeys<T>& keys,
                     const Execution& run,
                     const std::function<void(Index first, const UndividedRows& rows)>& use) {
  const engine::Call call(run);  // ends when `use` has had the last block
  require(asked.support.selector().index() != 0, "support", "Neighbors or Radius", repr(asked.support));
  const Mechanism mechanism = as_told<T>(asked);
  if (X == nullptr) {
    Mechanism others = mechanism;
    others.support = left_out(mechanism.support, keys.rows());
    return use(0, rows_of(make_self_operator<T>(others, keys, "auto", run), run));
  }
  const KeyedMechanism<T> keyed(mechanism, keys);
  const Index n = X->rows(), size = std::max<Index>(1, queries_at_a_time(mechanism, n, keys.rows()));
  Execution quiet = run;
  if (size < n) quiet.progress = {};
  for (Index first = 0; first < n; first += size) {
    const Index count = std::min(size, n - first);
    use(first, rows_of(keyed.at(X->middleRows(first, count), quiet), quiet));
    if (size < n)
      engine::report(run, static_cast<double>(first + count) / static_cast<double>(n), "finding neighbors");
  }
}

void visit_rows(const UndividedRows& rows, const Execution& run,
                const std::function<void(Index first, const UndividedRows& rows)>& use) {
  const engine::Call call(run);
  use(0, rows);
}

UndividedRows given_rows(const std::vector<Index>& ends, const std::vector<Index>& indices,
                         const Vector<double>& weights, Index n_keys) {
  const Index n = static_cast<Index>(ends.size()) - 1;
  for (const double weight : weights)
    require(weight >= 0 && std::isfinite(weight), "weights",
            "a function that gives finite weights that are not negative", weight);
  UndividedRows rows{SparseMatrix<double>(n, n_keys), Vector<double>::Zero(n)};
  rows.weights.resizeNonZeros(static_cast<Index>(indices.size()));
  std::copy(ends.begin(), ends.end(), rows.weights.outerIndexPtr());
  std::copy(indices.begin(), indices.end(), rows.weights.innerIndexPtr());
  for (Index i = 0; i < n; ++i) {
    const Index begin = ends[static_cast<std::size_t>(i)],
                size = ends[static_cast<std::size_t>(i) + 1] - begin;
    if (size == 0) continue;
    Eigen::Map<Vector<double>> row(rows.weights.valuePtr() + begin, size);
    row = weights.segment(begin, size);
    if (const double largest = row.maxCoeff(); largest > 0)
      row /= largest;
    else
      row(0) = 1;
    rows.mass(i) = row.sum();
  }
  return rows;
}

Matrix<double> means_of(const UndividedRows& rows, const Values<double>& targets, const Execution& run) {
  if (targets.outerStride() != targets.cols()) return means_of(rows, Matrix<double>(targets), run);
  Matrix<double> means(rows.weights.rows(), targets.cols());
  engine::sparse_product(rows.weights, targets.data(), means.data(), targets.cols(), run,
                         "averaging targets");
  for (Index i = 0; i < means.rows(); ++i)
    if (rows.mass(i) > 0) means.row(i) /= rows.mass(i);
  return means;
}

void put_shares(const UndividedRows& rows, std::span<const Index> labels, Tile<double> shares,
                const Execution& run) {
  over_rows(rows, run, [&](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) {
      shares.row(i).setZero();
      for (Edge e(rows.weights, i); e; ++e) shares(i, labels[static_cast<std::size_t>(e.col())]) += e.value();
      if (const double sum = shares.row(i).sum(); sum > 0) shares.row(i) /= sum;
    }
  });
}

std::vector<Index> winners_of(const UndividedRows& rows, std::span<const Index> labels, Index n_classes,
                              const Execution& run) {
  std::vector<Index> winners(static_cast<std::size_t>(rows.weights.rows()), -1);
  over_rows(rows, run, [&](Index begin, Index end) {
    Vector<double> votes = Vector<double>::Zero(n_classes);  // 0 again after each row
    for (Index i = begin; i < end; ++i) {
      Index& winner = winners[static_cast<std::size_t>(i)];
      const auto label_of = [&](const Edge& e) { return labels[static_cast<std::size_t>(e.col())]; };
      for (Edge e(rows.weights, i); e; ++e) votes(label_of(e)) += e.value();
      for (Edge e(rows.weights, i); e; ++e) {
        const Index label = label_of(e);
        const bool more = winner < 0 ? votes(label) > 0 : votes(label) > votes(winner);
        if (more || (winner >= 0 && votes(label) == votes(winner) && label < winner)) winner = label;
      }
      for (Edge e(rows.weights, i); e; ++e) votes(label_of(e)) = 0;
    }
  });
  return winners;
}

std::vector<bool> empty_rows(const UndividedRows& rows) {
  std::vector<bool> empty(static_cast<std::size_t>(rows.mass.size()));
  for (Index i = 0; i < rows.mass.size(); ++i) empty[static_cast<std::size_t>(i)] = !(rows.mass(i) > 0);
  return empty;
}

template void visit_neighbors(const Mechanism&, const Points<float>*, const PreparedKeys<float>&,
                              const Execution&, const std::function<void(Index, const UndividedRows&)>&);
template void visit_neighbors(const Mechanism&, const Points<double>*, const PreparedKeys<double>&,
                              const Execution&, const std::function<void(Index, const UndividedRows&)>&);

}  // namespace likewise
