#include "operator/kernel_matrix.hpp"

#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include <likewise/error.hpp>

#include "engine/exp_sum.hpp"
#include "engine/exp_weights.hpp"
#include "engine/parallel.hpp"

namespace likewise {
namespace {

constexpr double minus_infinity = -std::numeric_limits<double>::infinity();
constexpr Index row_block = 64, column_block = 512;

/// What a row without mass does: the key whose value it takes, or -1 for 0.
Index stand_in(const Scaling& scaling, Index row, Index nearest) {
  require(scaling.empty_row != EmptyRow::error, "empty_row",
          "'zero' or 'nearest' where a row of the operator has no mass (widen the bandwidth or the support)",
          "'error' and row " + std::to_string(row) + " without mass");
  return scaling.empty_row == EmptyRow::nearest ? nearest : -1;
}

bool may_be_replaced(const Scaling& scaling) { return scaling.by_row_mass && scaling.null_mass == 0; }

/// Turns log K_ij + log r_j of a row into the row of the scaled matrix, in place. Under a scaling by row mass l comes from
/// the row itself: a far point's logarithms are so large that adding log l to them would lose every digit.
void scale_row(const Scaling& scaling, Index row, Eigen::ArrayXd& log_row) {
  if (!scaling.by_row_mass) {
    log_row += scaling.log_left->get()(row);
    log_row = engine::exp_weights(log_row).eval();
    return;
  }
  log_row = log_row.min(std::numeric_limits<double>::max());  // an overflowed score: the largest there is
  const double top = log_row.size() ? log_row.maxCoeff() : minus_infinity;
  if (top == minus_infinity) {
    log_row.setZero();
    return;
  }
  log_row -= top;
  log_row = engine::exp_weights(log_row).eval();
  log_row /= log_row.sum() + (scaling.null_mass > 0 ? std::exp(std::log(scaling.null_mass) - top) : 0);
}

// --- dense and sparse storage
// -----------------------------------------------------------------------------------

template <class T> struct DenseMap final : LinearMapStorage<T> {
  Matrix<T> P;

  explicit DenseMap(Matrix<T> matrix) : P(std::move(matrix)) {}
  Index rows() const override { return P.rows(); }
  Index cols() const override { return P.cols(); }
  Matrix<T> apply(const Values<T>& V, const Execution& run) const override {
    Matrix<T> Y(P.rows(), V.cols());
    engine::parallel_blocks(
        engine::block_count(P.rows(), row_block), sized(run, V), "propagating", [&](Index b) {
          const engine::Block rows = engine::block_of(b, P.rows(), row_block);
          Y.middleRows(rows.begin, rows.size).noalias() = P.middleRows(rows.begin, rows.size) * V;
        });
    return Y;
  }
  Matrix<T> apply_transposed(const Values<T>& V, const Execution& run) const override {
    Matrix<T> Y(P.cols(), V.cols());
    engine::parallel_blocks(
        engine::block_count(P.cols(), row_block), sized(run, V), "propagating", [&](Index b) {
          const engine::Block cols = engine::block_of(b, P.cols(), row_block);
          Y.middleRows(cols.begin, cols.size).noalias() = P.middleCols(cols.begin, cols.size).transpose() * V;
        });
    return Y;
  }

 private:
  Execution sized(const Execution& run, const Values<T>& V) const {
    return engine::sized(run, static_cast<double>(P.size()) * static_cast<double>(V.cols()));
  }
};

template <class T> struct SparseMap final : LinearMapStorage<T> {
  SparseMatrix<T> P, transposed;

  explicit SparseMap(SparseMatrix<T> matrix) : P(std::move(matrix)), transposed(P.transpose()) {}
  Index rows() const override { return P.rows(); }
  Index cols() const override { return P.cols(); }
  Matrix<T> apply(const Values<T>& V, const Execution& run) const override { return product(P, V, run); }
  Matrix<T> apply_transposed(const Values<T>& V, const Execution& run) const override {
    return product(transposed, V, run);
  }

 private:
  static Matrix<T> product(const SparseMatrix<T>& A, const Values<T>& V, const Execution& run) {
    constexpr Index block = 4096;
    Matrix<T> Y = Matrix<T>::Zero(A.rows(), V.cols());
    const Execution threads =
        engine::sized(run, static_cast<double>(A.nonZeros()) * static_cast<double>(V.cols()));
    engine::parallel_blocks(engine::block_count(A.rows(), block), threads, "propagating", [&](Index b) {
      const engine::Block rows = engine::block_of(b, A.rows(), block);
      for (Index i = rows.begin; i < rows.begin + rows.size; ++i)
        for (typename SparseMatrix<T>::InnerIterator edge(A, i); edge; ++edge)
          Y.row(i) += edge.value() * V.row(edge.col());
    });
    return Y;
  }
};

// --- tiles
// --------------------------------------------------------------------------------------------------------

template <class T> class StreamedMap final : public LinearMapStorage<T> {
 public:
  StreamedMap(std::shared_ptr<const engine::LogWeights<T>> tiles, Scaling scaling)
      : tiles_(std::move(tiles)), scaling_(std::move(scaling)) {}
  Index rows() const override { return tiles_->rows(); }
  Index cols() const override { return tiles_->cols(); }

  Matrix<T> apply(const Values<T>& V, const Execution& run) const override {
    Partial<T> part = engine::exp_sum<T>(*tiles_, scaling_.log_right, V, run);
    for (Index i = 0; i < rows(); ++i) finish_row(part, V, i);
    return std::move(part.sum);
  }

  Matrix<T> apply_transposed(const Values<T>& V, const Execution& run) const override {
    const Vector<double>& left = scaling_.log_left->get();
    Partial<T> part = engine::exp_sum_transposed<T>(*tiles_, left, V, run);
    for (Index j = 0; j < cols(); ++j) scale(part.sum, j, part.log_reference(j) + scaling_.log_right(j));
    if (may_be_replaced(scaling_))
      for (Index i = 0; i < rows(); ++i)
        if (left(i) == minus_infinity)
          if (const Index key = stand_in(scaling_, i, tiles_->nearest_key(i)); key >= 0)
            part.sum.row(key) += V.row(i);
    return std::move(part.sum);
  }

 private:
  static void scale(Matrix<T>& sum, Index row, double log_factor) {
    // 0 times a factor beyond the largest number stays 0.
    const T factor = static_cast<T>(std::exp(log_factor));
    for (Index c = 0; c < sum.cols(); ++c)
      if (sum(row, c) != T(0)) sum(row, c) *= factor;
  }

  void finish_row(Partial<T>& part, const Values<T>& V, Index i) const {
    if (!scaling_.by_row_mass) return scale(part.sum, i, scaling_.log_left->get()(i) + part.log_reference(i));
    if (part.mass(i) > 0) {
      const double null =
          scaling_.null_mass > 0 ? std::exp(std::log(scaling_.null_mass) - part.log_reference(i)) : 0;
      part.sum.row(i) *= static_cast<T>(1 / (part.mass(i) + null));
      return;
    }
    if (!may_be_replaced(scaling_)) return;
    if (const Index key = stand_in(scaling_, i, tiles_->nearest_key(i)); key >= 0)
      part.sum.row(i) = V.row(key);
  }

  std::shared_ptr<const engine::LogWeights<T>> tiles_;
  Scaling scaling_;
};

template <class T> class TiledKernelMatrix final : public KernelMatrix<T> {
 public:
  explicit TiledKernelMatrix(std::shared_ptr<const engine::LogWeights<T>> tiles) : tiles_(std::move(tiles)) {}
  Index rows() const override { return tiles_->rows(); }
  Index cols() const override { return tiles_->cols(); }
  std::vector<std::string> storages() const override { return {"streamed", "dense", "sparse"}; }

  Vector<double> log_row_sums(const Vector<double>& key_bias, const Execution& run) const override {
    return engine::log_mass(engine::exp_sum<T>(*tiles_, key_bias, Matrix<T>(cols(), 0), run));
  }

  Vector<double> log_diagonal() const override {
    Vector<double> diagonal(rows());
    Matrix<T> one(1, 1);
    for (Index i = 0; i < rows(); ++i) {
      tiles_->fill(i, i, one);
      diagonal(i) = static_cast<double>(one(0, 0));
    }
    return diagonal;
  }

  std::shared_ptr<const LinearMapStorage<T>> scaled(const Scaling& scaling, const std::string& storage,
                                                    const Execution& run) const override {
    if (storage == "streamed") return std::make_shared<const StreamedMap<T>>(tiles_, scaling);
    if (storage == "sparse") return std::make_shared<const SparseMap<T>>(stored_sparse(scaling, run));
    return std::make_shared<const DenseMap<T>>(stored_dense(scaling, run));
  }

 private:
  /// Rows [begin, begin + size) of the scaled matrix.
  Matrix<T> stored_rows(const Scaling& scaling, engine::Block rows) const {
    const engine::Block keys = tiles_->admitted_keys(rows.begin, rows.size);
    Matrix<double> log_rows(rows.size, keys.size);
    Matrix<T> tile(rows.size, column_block);
    for (Index j = keys.begin; j < keys.begin + keys.size; j += column_block) {
      const Index size = std::min(column_block, keys.begin + keys.size - j);
      Tile<T> block = tile.leftCols(size);
      tiles_->fill(rows.begin, j, block);
      log_rows.middleCols(j - keys.begin, size) =
          block.template cast<double>().rowwise() + scaling.log_right.segment(j, size).transpose();
    }
    Matrix<T> P = Matrix<T>::Zero(rows.size, cols());
    for (Index a = 0; a < rows.size; ++a) {
      const Index row = rows.begin + a;
      Eigen::ArrayXd weights = log_rows.row(a).transpose();
      scale_row(scaling, row, weights);
      P.row(a).segment(keys.begin, keys.size) = weights.matrix().transpose().template cast<T>();
      if (may_be_replaced(scaling) && (weights == 0).all())
        if (const Index key = stand_in(scaling, row, tiles_->nearest_key(row)); key >= 0) P(a, key) = T(1);
    }
    return P;
  }

  Matrix<T> stored_dense(const Scaling& scaling, const Execution& run) const {
    Matrix<T> P(rows(), cols());
    if (!scaling.by_row_mass) scaling.log_left->get();  // before the threads start
    const Execution threads = engine::sized(run, 16.0 * static_cast<double>(P.size()));
    engine::parallel_blocks(engine::block_count(rows(), row_block), threads, "storing the operator",
                            [&](Index b) {
                              const engine::Block block = engine::block_of(b, rows(), row_block);
                              P.middleRows(block.begin, block.size) = stored_rows(scaling, block);
                            });
    return P;
  }

  SparseMatrix<T> stored_sparse(const Scaling& scaling, const Execution& run) const {
    const Index n_blocks = engine::block_count(rows(), row_block);
    std::vector<SparseMatrix<T>> parts(static_cast<std::size_t>(n_blocks));
    if (!scaling.by_row_mass) scaling.log_left->get();
    engine::parallel_blocks(n_blocks, run, "storing the operator", [&](Index b) {
      parts[static_cast<std::size_t>(b)] =
          stored_rows(scaling, engine::block_of(b, rows(), row_block)).sparseView();
    });
    std::vector<Eigen::Triplet<T>> entries;
    for (Index b = 0; b < n_blocks; ++b)
      for (Index a = 0; a < parts[static_cast<std::size_t>(b)].rows(); ++a)
        for (typename SparseMatrix<T>::InnerIterator e(parts[static_cast<std::size_t>(b)], a); e; ++e)
          entries.emplace_back(static_cast<int>(b * row_block + a), static_cast<int>(e.col()), e.value());
    SparseMatrix<T> P(rows(), cols());
    P.setFromTriplets(entries.begin(), entries.end());
    return P;
  }

  std::shared_ptr<const engine::LogWeights<T>> tiles_;
};

// --- edges
// --------------------------------------------------------------------------------------------------------

template <class T> class EdgeKernelMatrix final : public KernelMatrix<T> {
 public:
  explicit EdgeKernelMatrix(WeightedEdges edges) : edges_(std::move(edges)) {}
  Index rows() const override { return edges_.log_weights.rows(); }
  Index cols() const override { return edges_.log_weights.cols(); }
  std::vector<std::string> storages() const override { return {"sparse", "dense"}; }

  Vector<double> log_row_sums(const Vector<double>& key_bias, const Execution&) const override {
    Vector<double> sums(rows());
    for (Index i = 0; i < rows(); ++i) {
      double top = minus_infinity, mass = 0;
      for (Edge e(edges_.log_weights, i); e; ++e) top = std::max(top, e.value() + key_bias(e.col()));
      if (top > minus_infinity)
        for (Edge e(edges_.log_weights, i); e; ++e) mass += std::exp(e.value() + key_bias(e.col()) - top);
      sums(i) = top + std::log(mass);
    }
    return sums;
  }

  Vector<double> log_diagonal() const override {
    Vector<double> diagonal = Vector<double>::Constant(rows(), minus_infinity);
    for (Index i = 0; i < rows(); ++i)
      for (Edge e(edges_.log_weights, i); e; ++e)
        if (e.col() == i) diagonal(i) = e.value();
    return diagonal;
  }

  std::shared_ptr<const LinearMapStorage<T>> scaled(const Scaling& scaling, const std::string& storage,
                                                    const Execution&) const override {
    SparseMatrix<T> P = stored(scaling);
    if (storage == "dense") return std::make_shared<const DenseMap<T>>(Matrix<T>(P));
    return std::make_shared<const SparseMap<T>>(std::move(P));
  }

 private:
  using Edge = SparseMatrix<double>::InnerIterator;

  SparseMatrix<T> stored(const Scaling& scaling) const {
    SparseMatrix<double> P = edges_.log_weights;
    for (Index i = 0; i < rows(); ++i) {
      const Index begin = P.outerIndexPtr()[i], size = P.outerIndexPtr()[i + 1] - begin;
      Eigen::Map<Eigen::ArrayXd> row(P.valuePtr() + begin, size);
      Eigen::ArrayXd weights(size);
      Index at = 0;
      for (Edge e(P, i); e; ++e) weights(at++) = e.value() + scaling.log_right(e.col());
      scale_row(scaling, i, weights);
      row = weights;
      if (!may_be_replaced(scaling) || (weights != 0).any()) continue;
      const Index key = stand_in(scaling, i, edges_.nearest[static_cast<std::size_t>(i)]);
      for (Edge e(P, i); e; ++e)
        if (e.col() == key) e.valueRef() = 1;
    }
    return P.template cast<T>();
  }

  WeightedEdges edges_;
};

}  // namespace

template <class T>
std::shared_ptr<const KernelMatrix<T>> tiled_kernel_matrix(
    std::shared_ptr<const engine::LogWeights<T>> tiles) {
  return std::make_shared<const TiledKernelMatrix<T>>(std::move(tiles));
}
template <class T> std::shared_ptr<const KernelMatrix<T>> edge_kernel_matrix(WeightedEdges edges) {
  return std::make_shared<const EdgeKernelMatrix<T>>(std::move(edges));
}
template <class T> const Matrix<T>* dense_matrix_of(const LinearMapStorage<T>& map) {
  const auto* dense = dynamic_cast<const DenseMap<T>*>(&map);
  return dense ? &dense->P : nullptr;
}
template <class T> const SparseMatrix<T>* sparse_matrix_of(const LinearMapStorage<T>& map) {
  const auto* sparse = dynamic_cast<const SparseMap<T>*>(&map);
  return sparse ? &sparse->P : nullptr;
}

#define LIKEWISE_INSTANTIATE(T)                                                      \
  template std::shared_ptr<const KernelMatrix<T>> tiled_kernel_matrix(               \
      std::shared_ptr<const engine::LogWeights<T>>);                                 \
  template std::shared_ptr<const KernelMatrix<T>> edge_kernel_matrix(WeightedEdges); \
  template const Matrix<T>* dense_matrix_of(const LinearMapStorage<T>&);             \
  template const SparseMatrix<T>* sparse_matrix_of(const LinearMapStorage<T>&);
LIKEWISE_INSTANTIATE(float)
LIKEWISE_INSTANTIATE(double)
#undef LIKEWISE_INSTANTIATE

}  // namespace likewise
