// One layer of a Transformer: tokens look at one another, then each thinks for itself.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <likewise/execution.hpp>
#include <likewise/nn/attention_layer.hpp>
#include <likewise/nn/layer_norm.hpp>
#include <likewise/nn/mlp.hpp>

namespace likewise::nn {

struct EncoderBlockOptions {
  AttentionLayerOptions attention = {};
  double mlp_ratio =
      4;  ///< hidden features = round(mlp_ratio * embed_dim); 0: attention alone, without norm2 and MLP
  Activation activation = Activation::gelu;

  bool operator==(const EncoderBlockOptions&) const = default;
};

/// What `forward` leaves for `backward`, and the memory of both results.
template <class T> struct EncoderBlockTrace {
  LayerNormTrace<T> norm1, norm2;
  AttentionTrace<T> attention;
  MlpTrace<T> mlp;
  Matrix<T> middle, y;  ///< x + attention(norm1(x)); y is empty without an MLP, where the middle is the end
  Matrix<T> grad_middle, grad_x;
};

/// m = x + attention(norm1(x)), y = m + mlp(norm2(m)): norms before what they serve (Xiong et al. 2020).
/// Parameters: those of the parts under "norm1.", "attention.", "norm2.", "mlp.", under `prefix`.
class EncoderBlock {
 public:
  /// Throws InvalidArgument naming the option that does not fit.
  EncoderBlock(const EncoderBlockOptions& options, ParameterLayout& layout, const std::string& prefix = "");

  const AttentionLayer& attention() const { return attention_; }

  /// Each part by its own law, with seeds drawn from `seed`.
  template <class T> void initialize(Vector<T>& parameters, std::uint64_t seed) const;

  /// x (batch * length, embed_dim) to y of the same shape, which lies in the trace. The costs of its parts.
  template <class T>
  const Matrix<T>& forward(const Vector<T>& parameters, const Values<T>& x, const Attending& who,
                           EncoderBlockTrace<T>& trace, const Execution& run = {}) const;
  /// Adds to `gradient`; returns the gradient of x, which is trace.grad_x.
  template <class T>
  const Matrix<T>& backward(const Vector<T>& parameters, EncoderBlockTrace<T>& trace, const Values<T>& grad_y,
                            const Attending& who, Vector<T>& gradient, const Execution& run = {}) const;

 private:
  LayerNorm norm1_;
  AttentionLayer attention_;
  std::optional<LayerNorm> norm2_;
  std::optional<Mlp> mlp_;
};

}  // namespace likewise::nn
