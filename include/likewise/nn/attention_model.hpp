// A small Transformer over sequences or sets of tokens: embedding, blocks, pooling, head.
#pragma once

#include <cstdint>
#include <vector>

#include <likewise/execution.hpp>
#include <likewise/nn/encoder_block.hpp>
#include <likewise/nn/linear.hpp>
#include <likewise/nn/pooling.hpp>

namespace likewise::nn {

struct AttentionModelOptions {
  Index n_tokens = 1;              ///< of each sequence, padding included
  Index n_features = 1;            ///< of each token
  Index n_outputs = 1;             ///< classes, or targets
  Index n_layers = 1;              ///< encoder blocks; 0: none
  EncoderBlockOptions block = {};  ///< attention (embed_dim, num_heads, ...), MLP
  /// cls: a learned token is put before the others, and read. none: each token is read, an output each.
  Pooling pooling = Pooling::mean;
  bool positions = true;  ///< a learned vector for each place; without it the order of tokens does not count
  double position_std = 0.02;  ///< of the normal law of positions and cls token; 0: they start at 0

  bool operator==(const AttentionModelOptions&) const = default;
};

/// visit(name, option) for each, those of the layers among them, in the order in which files have them.
template <class Options, class Visit>
requires std::same_as<std::remove_const_t<Options>, AttentionModelOptions>
void each_option(Options& o, const Visit& visit) {
  visit("n_tokens", o.n_tokens);
  visit("n_features", o.n_features);
  visit("n_outputs", o.n_outputs);
  visit("n_layers", o.n_layers);
  each_option(o.block.attention, visit);
  visit("mlp_ratio", o.block.mlp_ratio);
  visit("activation", o.block.activation);
  visit("pooling", o.pooling);
  visit("positions", o.positions);
  visit("position_std", o.position_std);
}

/// What `forward` leaves for `backward`, and all memory of a step: a second one of the same shape allocates
/// only what the attention layer does.
template <class T> struct AttentionModelTrace {
  Attending who;       ///< batch, and padding with the cls token in front
  Matrix<T> X;         ///< (batch * n_tokens, n_features), 0 where there is padding
  Matrix<T> embedded;  ///< (batch * n_tokens, embed_dim)
  Matrix<T> tokens;    ///< (batch * length, embed_dim); length = n_tokens, and 1 with a cls token
  std::vector<EncoderBlockTrace<T>> blocks;
  LayerNormTrace<T> norm;
  Matrix<T> pooled;  ///< (batch * rows_of_sequence, embed_dim)
  Matrix<T> output;  ///< (batch * rows_of_sequence, n_outputs)
  Matrix<T> grad_pooled, grad_tokens;
};

/// embedding -> + positions -> n_layers encoder blocks -> norm -> pooling -> head. Pure functions of one flat
/// vector of parameters: "embedding.", "positions" (n_tokens, embed_dim), "cls_token" (embed_dim,), "blocks.0."
/// ..., "norm.", "head.".
class AttentionModel {
 public:
  /// Throws InvalidArgument naming the option that does not fit.
  explicit AttentionModel(const AttentionModelOptions& options);

  const AttentionModelOptions& options() const { return options_; }
  const ParameterLayout& layout() const { return layout_; }
  const std::vector<EncoderBlock>& blocks() const { return blocks_; }
  /// Outputs of a sequence: n_tokens without pooling, one after the other, else 1.
  Index rows_of_sequence() const { return options_.pooling == Pooling::none ? options_.n_tokens : 1; }

  /// A vector of the layout's size: each layer by its own law with seeds drawn from `seed`, positions and cls
  /// token normal.
  template <class T> Vector<T> initial_parameters(std::uint64_t seed) const;

  /// X (batch * n_tokens, n_features), sequence after sequence, to outputs (batch * rows_of_sequence, n_outputs), which
  /// lie in the trace. `key_padding` (batch, n_tokens), true = a token; nullptr: all are. Padding is not read; without
  /// pooling its outputs are the head's bias, whatever the tokens. The costs of its parts. Throws InvalidArgument where
  /// shapes do not fit.
  template <class T>
  const Matrix<T>& forward(const Vector<T>& parameters, const Values<T>& X, const BoolMatrix* key_padding,
                           AttentionModelTrace<T>& trace, const Execution& run = {}) const;
  /// Adds to `gradient`; writes the gradient of X where it is asked for.
  template <class T>
  void backward(const Vector<T>& parameters, AttentionModelTrace<T>& trace, const Values<T>& grad_output,
                Vector<T>& gradient, Matrix<T>* grad_X = nullptr, const Execution& run = {}) const;

  /// Outputs (n * rows_of_sequence, n_outputs) of n sequences, 4096 tokens at a time.
  template <class T>
  Matrix<T> predict(const Vector<T>& parameters, const Values<T>& X, const BoolMatrix* key_padding = nullptr,
                    const Execution& run = {}) const;
  /// What the heads of a block compare, (n * length, embed_dim): the block's tokens after its first norm. As `predict`.
  template <class T>
  Matrix<T> layer_input(const Vector<T>& parameters, const Values<T>& X, Index layer,
                        const BoolMatrix* key_padding = nullptr, const Execution& run = {}) const;
  /// Who attends to whom, (n * n_layers * num_heads * length, length): each sequence's blocks, each block's heads, each
  /// head's P. As `predict`.
  template <class T>
  Matrix<T> weights(const Vector<T>& parameters, const Values<T>& X, const BoolMatrix* key_padding = nullptr,
                    const Execution& run = {}) const;

 private:
  /// A forward pass of 4096 tokens at a time; see(first sequence, sequences, trace) after each.
  template <class T, class See>
  void pass_over(const Vector<T>& parameters, const Values<T>& X, const BoolMatrix* key_padding,
                 const Execution& run, const See& see) const;
  template <class T>
  void check(const Vector<T>& parameters, const Values<T>& X, const BoolMatrix* key_padding) const;
  Index length() const { return options_.n_tokens + (options_.pooling == Pooling::cls ? 1 : 0); }

  AttentionModelOptions options_;
  ParameterLayout layout_;
  Linear embedding_;
  Slot positions_, cls_token_;
  std::vector<EncoderBlock> blocks_;
  LayerNorm norm_;
  Linear head_;
};

}  // namespace likewise::nn
