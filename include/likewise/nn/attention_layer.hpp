// Multi-head attention with learned maps: self-attention, metric-attention and what lies between, in one class.
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include <likewise/execution.hpp>
#include <likewise/graph_steps.hpp>
#include <likewise/metric.hpp>
#include <likewise/nn/parameters.hpp>
#include <likewise/shared.hpp>
#include <likewise/step.hpp>
#include <likewise/support.hpp>

namespace likewise::nn {

/// What queries and keys are compared by: -<q, k>; |q - k|^2; -act(<a, q> + <a', k>) of tied maps (graph attention; Velickovic
/// et al. 2018); -<a, act(q + k)> (Brody, Alon and Yahav 2022); or nothing, where the weights are a graph's own, normalized on
/// both sides (graph convolution; Kipf and Welling 2017). act is a leaky ReLU.
enum class Score { dot, sqdist, additive, additive_dynamic, given };

struct AttentionLayerOptions {
  Index embed_dim = 64;
  Index num_heads = 1;
  Score score = Score::dot;
  bool tied = false;      ///< queries and keys are one map: q = W x, k = W z
  Index rank = 0;         ///< rows of each head's map; 0: embed_dim / num_heads
  bool diagonal = false;  ///< each head's map is a diagonal matrix of all features; tied, no rank
  bool learn_temperature = false;
  bool key_bias = false;  ///< of dot scores: adds -|k|^2 / (2 t), which makes them squared distances at 2 t
  bool bias = true;       ///< of the maps of values and outputs and, untied, of queries and keys
  /// Hidden units of phi(u) = u + W2 tanh(W1 u + b1) + b2, through which tied queries and keys q = W x are compared; 0: as
  /// they are.
  Index map_width = 0;
  bool share_map = false;  ///< one phi for all heads
  double temperature =
      0;                ///< t, or where its learning starts; 0: sqrt(rank), 2 sqrt(rank) of squared distances
  bool project = true;  ///< tied queries and keys are maps of the tokens; false: all features, as they are
  bool values = true;   ///< maps of values and outputs; false: a head propagates its columns of the tokens
  double slope = 0.2;   ///< of additive scores' leaky ReLU below 0

  bool operator==(const AttentionLayerOptions&) const = default;
};

/// visit(name, option) for each, in the order in which files have them: whatever reads, writes or names options asks here.
template <class Options, class Visit>
requires std::same_as<std::remove_const_t<Options>, AttentionLayerOptions>
void each_option(Options& o, const Visit& visit) {
  visit("embed_dim", o.embed_dim);
  visit("num_heads", o.num_heads);
  visit("score", o.score);
  visit("tied", o.tied);
  visit("rank", o.rank);
  visit("diagonal", o.diagonal);
  visit("learn_temperature", o.learn_temperature);
  visit("key_bias", o.key_bias);
  visit("bias", o.bias);
  visit("map_width", o.map_width);
  visit("share_map", o.share_map);
  visit("temperature", o.temperature);
  visit("project", o.project);
  visit("values", o.values);
  visit("slope", o.slope);
}

/// Learned bilinear score (Vaswani et al. 2017): softmax(<Wq x, Wk z> / sqrt(rank)).
AttentionLayerOptions self_attention(Index embed_dim, Index num_heads, bool bias = true);
/// L2 self-attention (Kim, Papamakarios and Mnih 2021): softmax(-|W x - W z|^2 / t), t learned for each head.
AttentionLayerOptions l2_attention(Index embed_dim, Index num_heads, bool bias = true);
/// Metric-attention (Ruan and Zhang 2024, Algorithm 1): softmax(-|phi(W x) - phi(W z)|^2), phi a network of one hidden layer and
/// a residual connection for each head, on the head's own projection. map_width 0: as wide as the projection.
AttentionLayerOptions metric_attention(Index embed_dim, Index num_heads, Index map_width = 0,
                                       bool bias = true);

/// Sequences of one length: rows of x are tokens, sequence after sequence.
struct Attending {
  Index batch = 1;
  /// Who may attend to whom: one for all, one for each sequence, or one for each sequence's heads; none: everybody.
  std::vector<Support> supports = {};
  std::optional<Shared<BoolMatrix>> key_padding =
      {};  ///< (batch, n_keys), true = a token; NaN in padding counts as 0
};

/// What phi's derivative needs: what it was given, and its hidden units.
template <class T> struct ResidualTrace {
  Matrix<T> given, hidden;  ///< (tokens, num_heads * rank), (tokens, num_heads * map_width)
};

/// What `forward` leaves for `backward`, and what that sums up. May be used again and again: memory is kept.
template <class T> struct AttentionTrace {
  Matrix<T> x, context;     ///< context is empty where tokens attend to one another
  Matrix<T> queries, keys;  ///< (tokens, num_heads * score_rank); keys are empty where they are the queries
  ResidualTrace<T> query_map, key_map;
  Matrix<T> values, attended;       ///< (tokens, embed_dim)
  std::vector<StepTrace<T>> heads;  ///< of all sequences, a sequence's heads one after the other
  bool on_one_graph = false;        ///< all heads were taken at once, along the edges of one graph
  GraphTrace<T> graph;
  Matrix<T> by_queries, by_keys, by_values, by_attended;  ///< the loss's derivatives
};

template <class T> struct AttentionGradient {
  Matrix<T> x;
  Matrix<T> context;  ///< empty where tokens attend to one another
};

/// Y = concat_h(P_h V_h) Wo^T + b with P_h = softmax over keys of -c_h / t_h, c_h the Score of q and k, the mapped tokens or, with
/// a map_width, phi_h of these.
/// Parameters, under `prefix`: untied in_proj_weight (2 heads rank + embed_dim, embed_dim) with in_proj_bias; tied
/// metric_proj.weight (heads rank, embed_dim) or metric_diagonal (heads, embed_dim), with a map_width map_in.weight (heads,
/// map_width, rank), map_in.bias, map_out.weight (heads, rank, map_width), map_out.bias, then v_proj.weight, v_proj.bias; of
/// additive scores att_query and att_key (heads, rank), of dynamic ones att (heads, rank);
/// out_proj.weight, out_proj.bias; log_temperature (heads,) where it is learned. Without `project` or `values` those maps are
/// missing: the bare module of Ruan and Zhang (2024), H <- P(H) H.
class AttentionLayer {
 public:
  /// Throws InvalidArgument naming the option that does not fit.
  AttentionLayer(const AttentionLayerOptions& options, ParameterLayout& layout,
                 const std::string& prefix = "");

  const AttentionLayerOptions& options() const { return options_; }
  Index rank() const { return rank_; }
  /// Numbers of a query of a head that are compared: of an additive score one, what it adds.
  Index score_rank() const { return options_.score == Score::additive ? 1 : rank_; }

  /// Weights from the uniform law of Glorot and Bengio (2010), in_proj_weight as one matrix (as torch.nn.MultiheadAttention);
  /// biases 0, diagonals 1, log temperatures where `temperature` says.
  template <class T> void initialize(Vector<T>& parameters, std::uint64_t seed) const;

  /// x (batch * n_queries, embed_dim); context (batch * n_keys, embed_dim) or nullptr: x. O(batch heads n_queries n_keys (rank +
  /// embed_dim / heads)) time, memory linear in tokens. A query that may attend to nothing gets the output's bias.
  template <class T>
  Matrix<T> forward(const Vector<T>& parameters, const Values<T>& x, const Matrix<T>* context,
                    const Attending& who, AttentionTrace<T>& trace, const Execution& run = {}) const;
  /// Adds to `gradient`, of the parameters' length.
  template <class T>
  AttentionGradient<T> backward(const Vector<T>& parameters, AttentionTrace<T>& trace,
                                const Values<T>& grad_output, const Attending& who, Vector<T>& gradient,
                                const Execution& run) const;

  /// P of that sequence and head, n_queries x n_keys, of the forward that left the trace.
  template <class T>
  Matrix<T> weights(const Vector<T>& parameters, const AttentionTrace<T>& trace, const Attending& who,
                    Index sequence, Index head, const Execution& run = {}) const;

  /// That head's cost as a metric of the layer's inputs: Mahalanobis (squared distances under one map), Bilinear, or what is
  /// Mapped by a residual network. Throws
  /// InvalidArgument for squared distances of two maps, which are no metric.
  template <class T> Metric metric_of(const Vector<T>& parameters, Index head) const;
  /// <bq, Wk z_j> / t for tokens z: what a bias of the queries adds to the bilinear score of every query; else 0.
  template <class T>
  Vector<double> log_key_weights(const Vector<T>& parameters, Index head, const Values<T>& z) const;
  /// The t that goes with `metric_of`.
  template <class T> double temperature_of(const Vector<T>& parameters, Index head) const;
  /// That head as a value of five slots: its metric, exp(-c / t), every key, rows that sum to 1, one step. Given weights are
  /// divided on both sides.
  template <class T> Mechanism mechanism_of(const Vector<T>& parameters, Index head) const {
    return compared_by(metric_of(parameters, head), parameters, head);
  }
  /// The same of tokens that this metric compares.
  template <class T>
  Mechanism compared_by(const Metric& metric, const Vector<T>& parameters, Index head) const {
    if (options_.score == Score::given)
      return {.metric = metric, .kernel = Indicator{}, .normalization = Symmetric{}};
    return {.metric = metric, .kernel = Exponential{temperature_of(parameters, head)}};
  }
  /// What mapped tokens of that head are compared by.
  template <class T> Metric cost_of(const Vector<T>& parameters, Index head) const;

 private:
  template <class T>
  void map_tokens(const Vector<T>& parameters, const Slot& map, const Slot& bias, const Matrix<T>& tokens,
                  Matrix<T>& out, const Execution& run) const;
  /// phi of each head's columns, in place.
  template <class T>
  void see_residual(const Vector<T>& parameters, Matrix<T>& mapped, ResidualTrace<T>& trace,
                    const Execution& run) const;
  template <class T>
  void vjp_residual(const Vector<T>& parameters, const ResidualTrace<T>& trace, Matrix<T>& grad,
                    Vector<T>& gradient, const Execution& run) const;
  /// <a, q> of each head's mapped tokens q, which the trace keeps.
  template <class T>
  void see_score(const Vector<T>& parameters, const Slot& of_score, Matrix<T>& mapped,
                 ResidualTrace<T>& trace) const;
  /// grad, by those numbers, becomes the gradient by the mapped tokens.
  template <class T>
  void vjp_score(const Vector<T>& parameters, const Slot& of_score, const ResidualTrace<T>& trace,
                 Matrix<T>& grad, Vector<T>& gradient) const;
  /// Of that head, or of all.
  Slot of_head(const Slot& slot, Index head, Index rows) const;
  template <class T>
  void vjp_tokens(const Vector<T>& parameters, const Slot& map, const Slot& bias, const Matrix<T>& tokens,
                  const Matrix<T>& grad_out, Matrix<T>& grad_tokens, Vector<T>& gradient,
                  const Execution& run) const;

  AttentionLayerOptions options_;
  Index rank_;
  // Parts of the parameters; a part without numbers has size 0, and tied keys have the queries' map.
  Slot query_, query_bias_, key_, key_bias_, value_, value_bias_, out_, out_bias_, log_temperature_;
  Slot map_in_, map_in_bias_, map_out_, map_out_bias_;
  Slot att_query_, att_key_, att_;  ///< of additive scores; of dynamic ones
};

}  // namespace likewise::nn
