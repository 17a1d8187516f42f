#include <likewise/nn/encoder_block.hpp>

#include <cmath>
#include <random>

#include "engine/call.hpp"

namespace likewise::nn {
namespace {

const EncoderBlockOptions& checked(const EncoderBlockOptions& o) {
  require(o.attention.embed_dim >= 1, "embed_dim", "at least 1", o.attention.embed_dim);
  require(std::isfinite(o.mlp_ratio) && o.mlp_ratio >= 0, "mlp_ratio", "a number that is not negative",
          o.mlp_ratio);
  const double hidden = std::round(o.mlp_ratio * static_cast<double>(o.attention.embed_dim));
  require(o.mlp_ratio == 0 || (hidden >= 1 && hidden < 1e9), "mlp_ratio",
          "0, or such that mlp_ratio * embed_dim rounds to [1, 1e9)", o.mlp_ratio);
  return o;
}

}  // namespace

EncoderBlock::EncoderBlock(const EncoderBlockOptions& options, ParameterLayout& layout,
                           const std::string& prefix)
    : norm1_(checked(options).attention.embed_dim, layout, prefix + "norm1."),
      attention_(options.attention, layout, prefix + "attention.") {
  if (options.mlp_ratio == 0) return;
  const Index features = options.attention.embed_dim,
              hidden = static_cast<Index>(std::round(options.mlp_ratio * static_cast<double>(features)));
  norm2_.emplace(features, layout, prefix + "norm2.");
  mlp_.emplace(features, hidden, options.activation, layout, prefix + "mlp.");
}

template <class T> void EncoderBlock::initialize(Vector<T>& parameters, std::uint64_t seed) const {
  std::mt19937_64 seeds(seed);
  norm1_.initialize(parameters);
  attention_.initialize(parameters, seeds());
  if (!mlp_) return;
  norm2_->initialize(parameters);
  mlp_->initialize(parameters, seeds());
}

template <class T>
const Matrix<T>& EncoderBlock::forward(const Vector<T>& parameters, const Values<T>& x, const Attending& who,
                                       EncoderBlockTrace<T>& trace, const Execution& run) const {
  const engine::Call call(run);
  const Matrix<T>& normed = norm1_.forward(parameters, x, trace.norm1, run);
  trace.middle = attention_.forward<T>(parameters, normed, nullptr, who, trace.attention, run);
  trace.middle += x;
  if (!mlp_) return trace.middle;
  const Matrix<T>& normed_again = norm2_->forward<T>(parameters, trace.middle, trace.norm2, run);
  trace.y = trace.middle + mlp_->forward<T>(parameters, normed_again, trace.mlp, run);
  return trace.y;
}

template <class T>
const Matrix<T>& EncoderBlock::backward(const Vector<T>& parameters, EncoderBlockTrace<T>& trace,
                                        const Values<T>& grad_y, const Attending& who, Vector<T>& gradient,
                                        const Execution& run) const {
  const engine::Call call(run);
  trace.grad_middle = grad_y;
  if (mlp_) {
    const Matrix<T>& by_norm = mlp_->backward<T>(parameters, trace.norm2.y, trace.mlp, grad_y, gradient, run);
    trace.grad_middle += norm2_->backward<T>(parameters, trace.norm2, by_norm, gradient, run);
  }
  const AttentionGradient<T> by_norm =
      attention_.backward<T>(parameters, trace.attention, trace.grad_middle, who, gradient, run);
  trace.grad_x = trace.grad_middle + norm1_.backward<T>(parameters, trace.norm1, by_norm.x, gradient, run);
  return trace.grad_x;
}

#define LIKEWISE_INSTANTIATE(T)                                                                         \
  template void EncoderBlock::initialize(Vector<T>&, std::uint64_t) const;                              \
  template const Matrix<T>& EncoderBlock::forward(const Vector<T>&, const Values<T>&, const Attending&, \
                                                  EncoderBlockTrace<T>&, const Execution&) const;       \
  template const Matrix<T>& EncoderBlock::backward(const Vector<T>&, EncoderBlockTrace<T>&,             \
                                                   const Values<T>&, const Attending&, Vector<T>&,      \
                                                   const Execution&) const;
LIKEWISE_INSTANTIATE(float)
LIKEWISE_INSTANTIATE(double)
#undef LIKEWISE_INSTANTIATE

}  // namespace likewise::nn
