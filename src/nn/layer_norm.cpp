#include <likewise/nn/layer_norm.hpp>

#include <cmath>

#include "engine/call.hpp"
#include "engine/parallel.hpp"

namespace likewise::nn {
namespace {

constexpr Index rows_of_block = 256;

template <class T> using Row = Eigen::Matrix<T, 1, Eigen::Dynamic>;
template <class T> auto row_at(const Slot& slot, const Vector<T>& flat) {
  return Eigen::Map<const Row<T>>(flat.data() + slot.offset, slot.rows);
}

/// Calls work(first row, row after the last) over threads.
template <class Work> void over_rows(Index rows, Index cols, const Execution& run, const Work& work) {
  const Execution threads = engine::sized(run, static_cast<double>(rows) * static_cast<double>(cols));
  engine::parallel_blocks(engine::block_count(rows, rows_of_block), threads, "normalizing", [&](Index block) {
    const auto [begin, size] = engine::block_of(block, rows, rows_of_block);
    work(begin, begin + size);
  });
}

}  // namespace

LayerNorm::LayerNorm(Index features, ParameterLayout& layout, const std::string& prefix) {
  require(features >= 1, "features", "at least 1", features);
  weight_ = layout.add_vector(prefix + "weight", features);
  bias_ = layout.add_vector(prefix + "bias", features);
}

template <class T> void LayerNorm::initialize(Vector<T>& parameters) const {
  parameters.segment(weight_.offset, weight_.rows).setOnes();
  parameters.segment(bias_.offset, bias_.rows).setZero();
}

template <class T>
const Matrix<T>& LayerNorm::forward(const Vector<T>& parameters, const Values<T>& x, LayerNormTrace<T>& trace,
                                    const Execution& run) const {
  const engine::Call call(run);
  require(x.cols() == weight_.rows, "x", "of " + std::to_string(weight_.rows) + " columns", x.cols());
  const auto weight = row_at(weight_, parameters), bias = row_at(bias_, parameters);
  trace.normalized.resize(x.rows(), x.cols());
  trace.y.resize(x.rows(), x.cols());
  trace.inverse_deviation.resize(x.rows());
  over_rows(x.rows(), x.cols(), run, [&](Index begin, Index end) {
    for (Index i = begin; i < end; ++i) {
      auto normalized = trace.normalized.row(i);
      normalized = x.row(i).array() - x.row(i).mean();
      const T variance = normalized.squaredNorm() / static_cast<T>(x.cols());
      trace.inverse_deviation(i) = T(1) / std::sqrt(variance + static_cast<T>(eps));
      normalized *= trace.inverse_deviation(i);
      trace.y.row(i) = normalized.cwiseProduct(weight) + bias;
    }
  });
  return trace.y;
}

// With u = grad_y weight and n the normalized row, mean and deviation held fixed would give u / deviation; both
// move with x, which takes away what u has in common with 1 and with n.
template <class T>
const Matrix<T>& LayerNorm::backward(const Vector<T>& parameters, LayerNormTrace<T>& trace,
                                     const Values<T>& grad_y, Vector<T>& gradient,
                                     const Execution& run) const {
  const engine::Call call(run);
  const Matrix<T>& normalized = trace.normalized;
  require(grad_y.rows() == normalized.rows() && grad_y.cols() == normalized.cols(), "grad_y",
          "of the output's shape", std::to_string(grad_y.rows()) + " x " + std::to_string(grad_y.cols()));
  const Index features = grad_y.cols(), blocks = engine::block_count(grad_y.rows(), rows_of_block);
  const auto weight = row_at(weight_, parameters);
  trace.grad_x.resize(grad_y.rows(), features);
  // Blocks sum for themselves and are then added in order: the same sums for any number of threads.
  Matrix<T> by_weight = Matrix<T>::Zero(blocks, features), by_bias = by_weight;
  over_rows(grad_y.rows(), features, run, [&](Index begin, Index end) {
    auto block_by_weight = by_weight.row(begin / rows_of_block);
    auto block_by_bias = by_bias.row(begin / rows_of_block);
    for (Index i = begin; i < end; ++i) {
      block_by_bias += grad_y.row(i);
      block_by_weight += grad_y.row(i).cwiseProduct(normalized.row(i));
      auto u = trace.grad_x.row(i);
      u = grad_y.row(i).cwiseProduct(weight);
      const T mean = u.mean(), slope = u.dot(normalized.row(i)) / static_cast<T>(features);
      u.array() = trace.inverse_deviation(i) * (u.array() - mean - slope * normalized.row(i).array());
    }
  });
  gradient.segment(weight_.offset, features) += by_weight.colwise().sum().transpose();
  gradient.segment(bias_.offset, features) += by_bias.colwise().sum().transpose();
  return trace.grad_x;
}

#define LIKEWISE_INSTANTIATE(T)                                                                         \
  template void LayerNorm::initialize(Vector<T>&) const;                                                \
  template const Matrix<T>& LayerNorm::forward(const Vector<T>&, const Values<T>&, LayerNormTrace<T>&,  \
                                               const Execution&) const;                                 \
  template const Matrix<T>& LayerNorm::backward(const Vector<T>&, LayerNormTrace<T>&, const Values<T>&, \
                                                Vector<T>&, const Execution&) const;
LIKEWISE_INSTANTIATE(float)
LIKEWISE_INSTANTIATE(double)
#undef LIKEWISE_INSTANTIATE

}  // namespace likewise::nn
