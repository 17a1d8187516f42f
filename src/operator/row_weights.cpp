#include "operator/row_weights.hpp"

#include <algorithm>

#include <likewise/operator.hpp>

#include "engine/call.hpp"
#include "engine/parallel.hpp"
#include "operator/edges.hpp"

namespace likewise {
namespace {

constexpr Index stored_weights = 4 * 1024 * 1024;  // of a block of rows
constexpr Index rows_per_task = 16;

/// What a block of left-out queries admits: the keys of all others, and of its own only the rest.
Support others_only(engine::Block block, const LeftOut& left_out) {
  const Index n_keys = static_cast<Index>(left_out.query_of.size());
  BoolMatrix admitted(block.size, n_keys);
  for (Index j = 0; j < n_keys; ++j) {
    const bool rest = left_out.is_rest(j);
    admitted.col(j).setConstant(!rest);
    const Index own = left_out.query_of[static_cast<std::size_t>(j)] - block.begin;
    if (0 <= own && own < block.size) admitted(own, j) = rest;
  }
  return Mask{std::move(admitted)};
}

/// The rows of a block: compressed where the support is sparse, else dense.
class BlockRows {
 public:
  BlockRows(const CrossOperator<double>& P, const Execution& run) : sparse_(P.storage() == "sparse") {
    if (sparse_)
      edges_ = P.sparse(run);
    else
      weights_ = P.dense(run);
  }

  RowWeights row(Index a) const {
    RowWeights found;
    std::vector<double> weights;
    const auto add = [&](Index key, double weight) {
      if (weight == 0) return;
      found.keys.push_back(key);
      weights.push_back(weight);
    };
    if (sparse_)
      for (SparseMatrix<double>::InnerIterator e(edges_, a); e; ++e) add(e.col(), e.value());
    else
      for (Index j = 0; j < weights_.cols(); ++j) add(j, weights_(a, j));
    found.weights = Eigen::Map<const Vector<double>>(weights.data(), static_cast<Index>(weights.size()));
    return found;
  }

 private:
  bool sparse_;
  SparseMatrix<double> edges_;
  Matrix<double> weights_;
};

/// A sparse support without a mask searches for all queries at once; else as many as stay within the memory.
Index block_size(const Mechanism& m, Index n_queries, Index n_keys, bool masked) {
  if (is_sparse(m.support) && !masked) return n_queries;
  return std::clamp<Index>(stored_weights / n_keys, 1, n_queries);
}

}  // namespace

void for_each_row(const Mechanism& mechanism, const Points<double>& X, const PreparedKeys<double>& keys,
                  const std::optional<LeftOut>& left_out, const Execution& run,
                  const std::function<void(Index, const RowWeights&)>& visit) {
  const Index size = block_size(mechanism, X.rows(), keys.rows(), left_out.has_value());
  const Index n_blocks = engine::block_count(X.rows(), size);
  Execution quiet = run;
  quiet.progress = {};
  for (Index b = 0; b < n_blocks; ++b) {
    const engine::Block block = engine::block_of(b, X.rows(), size);
    Mechanism m = mechanism;
    if (left_out) m.support = others_only(block, *left_out) & mechanism.support;
    const auto P = KeyedMechanism<double>(m, keys).at(X.middleRows(block.begin, block.size), quiet);
    const BlockRows rows(P, quiet);
    const double weights = static_cast<double>(block.size) * static_cast<double>(keys.rows());
    engine::parallel_blocks(engine::block_count(block.size, rows_per_task), engine::sized(quiet, weights),
                            "visiting rows", [&](Index task) {
                              const engine::Block part = engine::block_of(task, block.size, rows_per_task);
                              for (Index a = part.begin; a < part.begin + part.size; ++a)
                                visit(block.begin + a, rows.row(a));
                            });
    engine::report(run, static_cast<double>(b + 1) / static_cast<double>(n_blocks), "visiting rows");
  }
}

}  // namespace likewise
