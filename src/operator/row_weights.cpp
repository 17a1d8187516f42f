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

/// Query first + a admits every key but its own.
Support others_only(Index first, Index n_queries, Index n_keys) {
  BoolMatrix admitted = BoolMatrix::Constant(n_queries, n_keys, true);
  for (Index a = 0; a < n_queries; ++a) admitted(a, first + a) = false;
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
Index block_size(const Mechanism& m, Index n_queries, Index n_keys, bool leave_one_out) {
  if (is_sparse(m.support) && !leave_one_out) return n_queries;
  return std::clamp<Index>(stored_weights / n_keys, 1, n_queries);
}

}  // namespace

void for_each_row(const Mechanism& mechanism, const Points<double>& X, const Points<double>& Z,
                  const Vector<double>& log_key_weights, bool leave_one_out, const Execution& run,
                  const std::function<void(Index, const RowWeights&)>& visit) {
  const Index size = block_size(mechanism, X.rows(), Z.rows(), leave_one_out);
  const Index n_blocks = engine::block_count(X.rows(), size);
  Execution quiet = run;
  quiet.progress = {};
  for (Index b = 0; b < n_blocks; ++b) {
    const engine::Block block = engine::block_of(b, X.rows(), size);
    Mechanism m = mechanism;
    if (leave_one_out) m.support = others_only(block.begin, block.size, Z.rows()) & mechanism.support;
    const auto P = m.cross_operator(X.middleRows(block.begin, block.size), Z,
                                    {.log_key_weights = log_key_weights}, quiet);
    const BlockRows rows(P, quiet);
    const double weights = static_cast<double>(block.size) * static_cast<double>(Z.rows());
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
