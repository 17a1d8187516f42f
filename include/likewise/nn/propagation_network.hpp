// A network of propagation modules over one set of rows: linear map, H <- P(H) H several times, linear map.
#pragma once

#include <cstdint>
#include <vector>

#include <likewise/execution.hpp>
#include <likewise/nn/attention_layer.hpp>
#include <likewise/nn/linear.hpp>
#include <likewise/nn/training.hpp>
#include <likewise/support.hpp>

namespace likewise::nn {

/// The bare module of Ruan and Zhang (2024): temperature 1, no maps but the score's own. Dot products of two maps, squared
/// distances under one, and either seen through a residual network of map_width hidden units; additive scores of one map, dynamic
/// ones of two; given weights.
AttentionLayerOptions bare_module(Index embed_dim, Score score, Index map_width = 0);

struct PropagationNetworkOptions {
  Index n_features = 1;   ///< of each row
  Index n_outputs = 1;    ///< classes, or targets
  Index n_layers = 2;     ///< modules; 0: the two linear maps alone
  bool residual = false;  ///< H <- H + P(H) H
  AttentionLayerOptions module = bare_module(16, Score::sqdist, 16);

  bool operator==(const PropagationNetworkOptions&) const = default;
};

/// visit(name, option) for each, those of the module among them.
template <class Options, class Visit>
requires std::same_as<std::remove_const_t<Options>, PropagationNetworkOptions>
void each_option(Options& o, const Visit& visit) {
  visit("n_features", o.n_features);
  visit("n_outputs", o.n_outputs);
  visit("n_layers", o.n_layers);
  visit("residual", o.residual);
  each_option(o.module, visit);
}

/// What `forward` leaves for `backward`.
template <class T> struct PropagationNetworkTrace {
  Matrix<T> X;
  Attending who;
  std::vector<AttentionTrace<T>> layers;
  Matrix<T> hidden;  ///< H after the last module
  Matrix<T> output;
};

/// H = X Wi^T + bi, n_layers times H <- P(H) H, then H Wo^T + bo: the interaction propagation network (IPN) of Ruan and Zhang
/// (2024, section 6). Rows are data points; who attends to whom is the support: everybody, or the edges of a graph. Parameters
/// by name: "input.", "layers.0." ..., "output.".
class PropagationNetwork {
 public:
  /// Throws InvalidArgument naming the option that does not fit.
  explicit PropagationNetwork(const PropagationNetworkOptions& options);

  const PropagationNetworkOptions& options() const { return options_; }
  const ParameterLayout& layout() const { return layout_; }
  const std::vector<AttentionLayer>& layers() const { return layers_; }

  /// A vector of the layout's size: each part by its own law with seeds drawn from `seed`.
  template <class T> Vector<T> initial_parameters(std::uint64_t seed) const;

  /// X (n, n_features), one set of rows, to outputs (n, n_outputs), which lie in the trace. O(n_layers n^2 embed_dim) time, of a
  /// graph O(n_layers edges embed_dim); memory linear in rows and edges.
  template <class T>
  const Matrix<T>& forward(const Vector<T>& parameters, const Values<T>& X, const Support& support,
                           PropagationNetworkTrace<T>& trace, const Execution& run = {}) const;
  /// Adds to `gradient`; writes the gradient of X where it is asked for.
  template <class T>
  void backward(const Vector<T>& parameters, PropagationNetworkTrace<T>& trace, const Values<T>& grad_output,
                Vector<T>& gradient, Matrix<T>* grad_X = nullptr, const Execution& run = {}) const;

 private:
  PropagationNetworkOptions options_;
  ParameterLayout layout_;
  Linear input_;
  std::vector<AttentionLayer> layers_;
  Linear output_;
};

/// Whom a row attends to while it is learned from or asked.
enum class RowContext {
  batch,  ///< the other rows of its batch
  all     ///< all rows of the training, in every step: transductive, of a graph too
};

/// Rows and what is to be said of those that have a weight.
template <class T> struct PropagationData {
  /// n_tokens = 1: a row is a sample. Of weight 0: with RowContext::batch as if not there, with `all` a row without a label.
  Samples<T> samples;
  RowContext context = RowContext::batch;
  Support support = {};  ///< of all rows; with RowContext::batch everybody
  Vector<double> validation_weights =
      {};  ///< (n,) of rows that are watched and not learned from; empty: none
};

/// Trains `parameters` in place, as `train` of an AttentionModel does: options.batch_size rows whose loss makes a step.
template <class T>
TrainingHistory train(const PropagationNetwork& network, Vector<T>& parameters,
                      const std::type_identity_t<PropagationData<T>>& data,
                      const TrainingOptions& options = {}, const Execution& run = {},
                      std::type_identity_t<OptimizerState<T>>* state = nullptr);

/// Outputs (n, n_outputs) of rows that attend to one another in batches of `batch_size`, and to the rows of `context` where it is
/// given, which each batch then joins. A support, of the rows of `context` and then those of X, wants all in one batch.
template <class T>
Matrix<T> predict(const PropagationNetwork& network, const Vector<T>& parameters, const Values<T>& X,
                  Index batch_size, const std::type_identity_t<Values<T>>* context = nullptr,
                  const Support& support = {}, const Execution& run = {});

}  // namespace likewise::nn
