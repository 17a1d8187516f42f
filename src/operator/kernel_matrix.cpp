#include "operator/kernel_matrix.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "engine/exp_sum.hpp"
#include "engine/parallel.hpp"
#include "operator/dense_map.hpp"
#include "operator/scale_row.hpp"
#include "operator/scalings.hpp"
#include "operator/sparse_map.hpp"

namespace likewise {
namespace {

constexpr double minus_infinity = -std::numeric_limits<double>::infinity();
constexpr Index row_block = 64, column_block = 512;

template <class T> class StreamedMap final : public LinearMapStorage<T> {
 public:
  StreamedMap(std::shared_ptr<const engine::LogWeights<T>> tiles, Scaling scaling)
      : tiles_(std::move(tiles)), scaling_(std::move(scaling)) {}
  Index rows() const override { return tiles_->rows(); }
  Index cols() const override { return tiles_->cols(); }

  Matrix<T> apply(const Values<T>& V, const Execution& run) const override {
    Partial<T> part = engine::exp_sum<T>(*tiles_, *scaling_.log_right, V, run);
    if (scaling_.by_row_mass && !scaling_.log_left->known()) scaling_.log_left->offer(log_left(part));
    for (Index i = 0; i < rows(); ++i) finish_row(part, V, i);
    return std::move(part.sum);
  }

  Matrix<T> apply_transposed(const Values<T>& V, const Execution& run) const override {
    const Vector<double>& left = scaling_.log_left->get();
    Partial<T> part =
        engine::exp_sum_transposed<T>(*tiles_, shifted_log_left(*tiles_, scaling_, run), V, run);
    for (Index j = 0; j < cols(); ++j) scale(part.sum, j, part.log_reference(j) + (*scaling_.log_right)(j));
    if (may_be_replaced(scaling_))
      for (Index i = 0; i < rows(); ++i)
        if (left(i) == minus_infinity)
          if (const Index key = stand_in(scaling_, i, tiles_->nearest_key(i, *scaling_.log_right)); key >= 0)
            part.sum.row(key) += V.row(i);
    return std::move(part.sum);
  }

 private:
  /// What the pass found on its way: log l of a scaling by row mass.
  Vector<double> log_left(const Partial<T>& part) const {
    const Vector<double> log_sums = engine::log_mass(part);
    return log_of_reciprocal(log_sums, scaling_.null_mass);
  }
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
      part.sum.row(i) /= static_cast<T>(part.mass(i) + null);  // one division: means of a constant are it
      return;
    }
    if (!may_be_replaced(scaling_)) return;
    if (const Index key = stand_in(scaling_, i, tiles_->nearest_key(i, *scaling_.log_right)); key >= 0)
      part.sum.row(i) = V.row(key);
  }

  std::shared_ptr<const engine::LogWeights<T>> tiles_;
  Scaling scaling_;
};

}  // namespace

template <class T>
Vector<double> shifted_log_left(const engine::LogWeights<T>& K, const Scaling& scaling,
                                const Execution& run) {
  const Vector<double>& left = scaling.log_left->get();
  const Vector<double>* shift = K.row_shift();
  if (!shift) return left;
  if (!scaling.by_row_mass) return left + *shift;
  // Found again beside the shift: in log l itself the mass has no digits left.
  const Partial<T> part = engine::exp_sum_less_shift<T>(K, *scaling.log_right, Matrix<T>(K.cols(), 0), run);
  Vector<double> found(left.size());
  for (Index i = 0; i < found.size(); ++i) {
    const double log_mass = part.log_reference(i) + std::log(part.mass(i));
    const double null = scaling.null_mass > 0 ? std::log(scaling.null_mass) - (*shift)(i) : minus_infinity;
    const double top = std::max(log_mass, null);
    found(i) = left(i) == minus_infinity || top == minus_infinity
                   ? minus_infinity
                   : -(top + std::log(std::exp(log_mass - top) + std::exp(null - top)));
  }
  return found;
}

template Vector<double> shifted_log_left(const engine::LogWeights<float>&, const Scaling&, const Execution&);
template Vector<double> shifted_log_left(const engine::LogWeights<double>&, const Scaling&, const Execution&);

namespace {

/// Whether weights of float32 points are found in float64.
bool found_in_double(const engine::LogWeights<float>& K) {
  if (const auto exponents = K.exponents())
    return std::holds_alternative<engine::LiftedExponents<double>>(*exponents);
  if (const auto scores = K.profiled())
    return std::holds_alternative<engine::ProfiledScores<double>>(*scores);
  return false;
}

template <class T> class TiledKernelMatrix final : public KernelMatrix<T> {
 public:
  TiledKernelMatrix(std::shared_ptr<const engine::LogWeights<T>> tiles, MakeWide wide)
      : tiles_(std::move(tiles)), wide_(std::move(wide)) {}
  Index rows() const override { return tiles_->rows(); }
  Index cols() const override { return tiles_->cols(); }
  std::vector<std::string> storages() const override { return {"streamed", "dense", "sparse"}; }
  std::shared_ptr<const engine::LogWeights<T>> tiles() const override { return tiles_; }

  Vector<double> log_row_sums(const Vector<double>& key_bias, const Execution& run) const override {
    return engine::log_mass(engine::exp_sum<T>(*tiles_, key_bias, Matrix<T>(cols(), 0), run));
  }

  Vector<double> log_column_sums(const Vector<double>& row_bias, const Execution& run) const override {
    const Vector<double>* shift = tiles_->row_shift();
    const Vector<double> bias = shift ? Vector<double>(row_bias + *shift) : row_bias;
    return engine::log_mass(engine::exp_sum_transposed<T>(*tiles_, bias, Matrix<T>(rows(), 0), run));
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
  /// The log weights that are stored: of float32 points whose weights are found in float64 (large exponents) in float64, since a
  /// logarithm of 1e4 has no digit after the third in float32.
  template <class Use> auto with_stored_weights(const Use& use) const {
    if constexpr (std::is_same_v<T, float>)
      if (wide_ && found_in_double(*tiles_)) return use(*wide_());
    return use(*tiles_);
  }

  /// Rows [begin, begin + size) of the scaled matrix, from the log weights K.
  template <class C>
  void store_rows(const engine::LogWeights<C>& K, const Scaling& scaling, engine::Block rows,
                  Tile<T> P) const {
    const engine::Block keys = K.admitted_keys(rows.begin, rows.size);
    if (keys.size < cols()) P.setZero();
    Matrix<C> logs;
    if constexpr (!std::is_same_v<T, C>) logs.resize(rows.size, keys.size);
    for (Index j = 0; j < keys.size; j += column_block) {
      const Index size = std::min(column_block, keys.size - j);
      if constexpr (std::is_same_v<T, C>)
        K.fill(rows.begin, keys.begin + j, P.middleCols(keys.begin + j, size));
      else
        K.fill(rows.begin, keys.begin + j, logs.middleCols(j, size));
    }
    Eigen::ArrayXd weights(keys.size);
    for (Index a = 0; a < rows.size; ++a) {
      const Index row = rows.begin + a;
      auto stored = P.row(a).segment(keys.begin, keys.size);
      const auto log_right = scaling.log_right->segment(keys.begin, keys.size);
      if constexpr (std::is_same_v<T, C>)
        weights = stored.transpose().template cast<double>() + log_right;
      else
        weights = logs.row(a).transpose() + log_right;
      // Divided by its own mass a row does not need what was taken out of it; a null mass is no part of it.
      const bool needs_shift = !scaling.by_row_mass || scaling.null_mass > 0;
      if (const Vector<double>* shift = K.row_shift(); shift && needs_shift) weights += (*shift)(row);
      scale_row(scaling, row, weights);
      stored = weights.matrix().transpose().template cast<T>();
      if (may_be_replaced(scaling) && (weights == 0).all())
        if (const Index key = stand_in(scaling, row, tiles_->nearest_key(row, *scaling.log_right)); key >= 0)
          P(a, key) = T(1);
    }
  }

  Matrix<T> stored_dense(const Scaling& scaling, const Execution& run) const {
    return with_stored_weights([&](const auto& K) { return stored_dense(K, scaling, run); });
  }
  SparseMatrix<T> stored_sparse(const Scaling& scaling, const Execution& run) const {
    return with_stored_weights([&](const auto& K) { return stored_sparse(K, scaling, run); });
  }

  template <class K>
  Matrix<T> stored_dense(const K& weights, const Scaling& scaling, const Execution& run) const {
    Matrix<T> P(rows(), cols());
    if (!scaling.by_row_mass) scaling.log_left->get();  // before the threads start
    const Execution threads = engine::sized(run, 16.0 * static_cast<double>(P.size()));
    engine::parallel_blocks(engine::block_count(rows(), row_block), threads, "storing the operator",
                            [&](Index b) {
                              const engine::Block block = engine::block_of(b, rows(), row_block);
                              store_rows(weights, scaling, block, P.middleRows(block.begin, block.size));
                            });
    return P;
  }

  template <class K>
  SparseMatrix<T> stored_sparse(const K& weights, const Scaling& scaling, const Execution& run) const {
    const Index n_blocks = engine::block_count(rows(), row_block);
    std::vector<SparseMatrix<T>> parts(static_cast<std::size_t>(n_blocks));
    if (!scaling.by_row_mass) scaling.log_left->get();
    engine::parallel_blocks(n_blocks, run, "storing the operator", [&](Index b) {
      const engine::Block block = engine::block_of(b, rows(), row_block);
      Matrix<T> rows_of_P(block.size, cols());
      store_rows(weights, scaling, block, rows_of_P);
      parts[static_cast<std::size_t>(b)] = rows_of_P.sparseView();
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
  MakeWide wide_;
};

}  // namespace

template <class T>
std::shared_ptr<const KernelMatrix<T>> tiled_kernel_matrix(std::shared_ptr<const engine::LogWeights<T>> tiles,
                                                           MakeWide wide) {
  return std::make_shared<const TiledKernelMatrix<T>>(std::move(tiles), std::move(wide));
}
template <class T> const Matrix<T>* dense_matrix_of(const LinearMapStorage<T>& map) {
  const auto* dense = dynamic_cast<const DenseMap<T>*>(&map);
  return dense ? &dense->P : nullptr;
}
template <class T> const SparseMatrix<T>* sparse_matrix_of(const LinearMapStorage<T>& map) {
  const auto* sparse = dynamic_cast<const SparseMap<T>*>(&map);
  return sparse && sparse->mass.size() == 0 ? &sparse->P : nullptr;
}

#define LIKEWISE_INSTANTIATE(T)                                          \
  template std::shared_ptr<const KernelMatrix<T>> tiled_kernel_matrix(   \
      std::shared_ptr<const engine::LogWeights<T>>, MakeWide);           \
  template const Matrix<T>* dense_matrix_of(const LinearMapStorage<T>&); \
  template const SparseMatrix<T>* sparse_matrix_of(const LinearMapStorage<T>&);
LIKEWISE_INSTANTIATE(float)
LIKEWISE_INSTANTIATE(double)
#undef LIKEWISE_INSTANTIATE

}  // namespace likewise
