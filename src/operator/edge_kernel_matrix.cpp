// K from a list of edges.
#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "engine/exp_weights.hpp"
#include "operator/dense_map.hpp"
#include "operator/kernel_matrix.hpp"
#include "operator/scale_row.hpp"
#include "operator/sparse_map.hpp"

namespace likewise {
namespace {

constexpr double minus_infinity = -std::numeric_limits<double>::infinity();

constexpr Index rows_at_a_time = 512;

template <class T> class EdgeKernelMatrix final : public KernelMatrix<T> {
 public:
  explicit EdgeKernelMatrix(WeightedEdges edges) : edges_(std::move(edges)) {}
  Index rows() const override { return edges_.log_weights.rows(); }
  Index cols() const override { return edges_.log_weights.cols(); }
  std::vector<std::string> storages() const override { return {"sparse", "dense"}; }

  Vector<double> log_row_sums(const Vector<double>& key_bias, const Execution& run) const override {
    Vector<double> sums(rows());
    over_rows(run, [&](Index i, Eigen::ArrayXd& row) {
      biased_row(i, key_bias, row);
      double top = row.size() ? row.maxCoeff() : minus_infinity;
      if (top > minus_infinity) {
        row -= top;
        row = engine::exp_weights(row);
        top += std::log(row.sum());
      }
      sums(i) = top;
    });
    return sums;
  }

  Vector<double> log_column_sums(const Vector<double>& row_bias, const Execution& /*run*/) const override {
    Vector<double> top = Vector<double>::Constant(cols(), minus_infinity),
                   sums = Vector<double>::Zero(cols());
    const auto each_edge = [&](const auto& work) {
      for (Index i = 0; i < rows(); ++i)
        for (Edge e(edges_.log_weights, i); e; ++e) work(e.col(), e.value() + row_bias(i));
    };
    each_edge([&](Index j, double log_weight) { top(j) = std::max(top(j), log_weight); });
    each_edge([&](Index j, double log_weight) {
      if (top(j) > minus_infinity) sums(j) += std::exp(log_weight - top(j));
    });
    return top.binaryExpr(sums, [](double t, double s) { return s > 0 ? t + std::log(s) : minus_infinity; });
  }

  Vector<double> log_diagonal() const override {
    Vector<double> diagonal = Vector<double>::Constant(rows(), minus_infinity);
    for (Index i = 0; i < rows(); ++i)
      for (Edge e(edges_.log_weights, i); e; ++e)
        if (e.col() == i) diagonal(i) = e.value();
    return diagonal;
  }

  std::shared_ptr<const LinearMapStorage<T>> scaled(const Scaling& scaling, const std::string& storage,
                                                    const Execution& run) const override {
    if (storage == "sparse" && scaling.divides_products && scaling.by_row_mass) {
      Vector<double> mass;
      SparseMatrix<T> weights = stored<T>(scaling, run, &mass);
      return std::make_shared<const SparseMap<T>>(std::move(weights), mass.template cast<T>());
    }
    SparseMatrix<T> P = stored<T>(scaling, run, nullptr);
    if (storage == "dense") return std::make_shared<const DenseMap<T>>(Matrix<T>(P));
    return std::make_shared<const SparseMap<T>>(std::move(P));
  }

  std::optional<UndividedRows> undivided(const Scaling& scaling, const Execution& run) const override {
    UndividedRows rows;
    rows.weights = stored<double>(scaling, run, &rows.mass);
    return rows;
  }

 private:
  using Edge = SparseMatrix<double>::InnerIterator;

  template <class Work> void over_rows(const Execution& run, const Work& work) const {
    const Execution threads = engine::sized(run, 10.0 * static_cast<double>(edges_.log_weights.nonZeros()));
    engine::parallel_blocks(engine::block_count(rows(), rows_at_a_time), threads, "weighing edges",
                            [&](Index b) {
                              const engine::Block block = engine::block_of(b, rows(), rows_at_a_time);
                              Eigen::ArrayXd row;
                              for (Index i = block.begin; i < block.begin + block.size; ++i) work(i, row);
                            });
  }

  /// log K_ij + bias_j of the edges of a row.
  void biased_row(Index i, const Vector<double>& bias, Eigen::ArrayXd& row) const {
    const SparseMatrix<double>& A = edges_.log_weights;
    const Index begin = A.outerIndexPtr()[i], size = A.outerIndexPtr()[i + 1] - begin;
    row.resize(size);
    for (Index e = 0; e < size; ++e) row(e) = A.valuePtr()[begin + e] + bias(A.innerIndexPtr()[begin + e]);
  }

  /// The key whose value row i takes; -1 where the row has weights, or yields 0.
  Index stand_in_of(const Scaling& scaling, Index i) const {
    return stand_in(scaling, i, edges_.nearest[static_cast<std::size_t>(i)]);
  }

  /// The edges, and the stand-in of each row without weights of whose edges it is none. Values are not set.
  template <class S> SparseMatrix<S> places(const Scaling& scaling) const {
    const SparseMatrix<double>& A = edges_.log_weights;
    SparseMatrix<S> P(rows(), cols());
    const std::vector<Index> lonely = rows_without_stand_in(scaling);
    P.resizeNonZeros(A.nonZeros() + std::ssize(lonely));
    if (lonely.empty()) {
      std::copy_n(A.outerIndexPtr(), rows() + 1, P.outerIndexPtr());
      std::copy_n(A.innerIndexPtr(), A.nonZeros(), P.innerIndexPtr());
      return P;
    }
    auto next = lonely.begin();
    int size = 0;
    for (Index i = 0; i < rows(); ++i) {
      P.outerIndexPtr()[i] = size;
      int* const row = P.innerIndexPtr() + size;
      int* end = std::copy(A.innerIndexPtr() + A.outerIndexPtr()[i],
                           A.innerIndexPtr() + A.outerIndexPtr()[i + 1], row);
      if (next != lonely.end() && *next == i) {
        *end = static_cast<int>(stand_in_of(scaling, i));
        std::inplace_merge(row, end, end + 1);
        ++end;
        ++next;
      }
      size += static_cast<int>(end - row);
    }
    P.outerIndexPtr()[rows()] = size;
    return P;
  }

  /// Whether an edge of the row leads to a key of positive weight.
  bool has_weights(const Scaling& scaling, Index i) const {
    for (Edge e(edges_.log_weights, i); e; ++e)
      if (e.value() + (*scaling.log_right)(e.col()) > minus_infinity) return true;
    return false;
  }

  /// Rows without weights whose stand-in is no edge of theirs. The nearest key of a row that has weights may be none either:
  /// mutual neighbors are fewer.
  std::vector<Index> rows_without_stand_in(const Scaling& scaling) const {
    std::vector<Index> found;
    if (!may_be_replaced(scaling) || scaling.empty_row != EmptyRow::nearest) return found;
    const SparseMatrix<double>& A = edges_.log_weights;
    for (Index i = 0; i < rows(); ++i) {
      const Index key = stand_in_of(scaling, i);
      const int *begin = A.innerIndexPtr() + A.outerIndexPtr()[i],
                *end = A.innerIndexPtr() + A.outerIndexPtr()[i + 1];
      if (key >= 0 && !std::binary_search(begin, end, static_cast<int>(key)) && !has_weights(scaling, i))
        found.push_back(i);
    }
    return found;
  }

  /// The scaled matrix; with `mass` its rows before their division, and what divides them.
  template <class S>
  SparseMatrix<S> stored(const Scaling& scaling, const Execution& run, Vector<double>* mass) const {
    SparseMatrix<S> P = places<S>(scaling);
    if (mass) mass->setZero(rows());
    if (!scaling.by_row_mass) scaling.log_left->get();  // before the threads start
    over_rows(run, [&](Index i, Eigen::ArrayXd& row) {
      biased_row(i, *scaling.log_right, row);
      if (mass)
        (*mass)(i) = weigh_by_mass(scaling, row);
      else
        scale_row(scaling, i, row);
      const Index begin = P.outerIndexPtr()[i], end = P.outerIndexPtr()[i + 1];
      if (end - begin > row.size()) P.valuePtr()[end - 1] = S(0);  // all of this row are 0
      Eigen::Map<Vector<S>>(P.valuePtr() + begin, row.size()) = row.matrix().template cast<S>();
      if (!may_be_replaced(scaling) || (row != 0).any()) return;
      const Index key = stand_in_of(scaling, i);
      for (Index e = begin; e < end; ++e) {
        if (P.innerIndexPtr()[e] != key) continue;
        P.valuePtr()[e] = S(1);
        if (mass) (*mass)(i) = 1;
      }
    });
    return P;
  }

  WeightedEdges edges_;
};

}  // namespace

template <class T> std::shared_ptr<const KernelMatrix<T>> edge_kernel_matrix(WeightedEdges edges) {
  return std::make_shared<const EdgeKernelMatrix<T>>(std::move(edges));
}

template std::shared_ptr<const KernelMatrix<float>> edge_kernel_matrix(WeightedEdges);
template std::shared_ptr<const KernelMatrix<double>> edge_kernel_matrix(WeightedEdges);

}  // namespace likewise
