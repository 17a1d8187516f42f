// K from a list of edges.
#include <cmath>
#include <limits>
#include <utility>

#include "operator/dense_map.hpp"
#include "operator/kernel_matrix.hpp"
#include "operator/scale_row.hpp"
#include "operator/sparse_map.hpp"

namespace likewise {
namespace {

constexpr double minus_infinity = -std::numeric_limits<double>::infinity();

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

template <class T> std::shared_ptr<const KernelMatrix<T>> edge_kernel_matrix(WeightedEdges edges) {
  return std::make_shared<const EdgeKernelMatrix<T>>(std::move(edges));
}

template std::shared_ptr<const KernelMatrix<float>> edge_kernel_matrix(WeightedEdges);
template std::shared_ptr<const KernelMatrix<double>> edge_kernel_matrix(WeightedEdges);

}  // namespace likewise
