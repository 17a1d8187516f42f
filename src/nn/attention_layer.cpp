#include <likewise/nn/attention_layer.hpp>

#include <cmath>
#include <limits>

#include "engine/call.hpp"
#include "engine/parallel.hpp"
#include "nn/affine.hpp"
#include "nn/random.hpp"

namespace likewise::nn {
namespace {

/// `rows` rows of a slot from `first` on: a slot of its own.
Slot rows_of(const Slot& slot, Index first, Index rows) {
  return {slot.offset + first * (slot.cols ? slot.cols : 1), rows, slot.cols};
}

void check(const AttentionLayerOptions& o) {
  require(o.embed_dim >= 1, "embed_dim", "at least 1", o.embed_dim);
  require(o.num_heads >= 1 && o.embed_dim % o.num_heads == 0, "num_heads",
          "a divisor of embed_dim = " + std::to_string(o.embed_dim), o.num_heads);
  require(o.rank >= 0, "rank", "at least 1, or 0 for embed_dim / num_heads", o.rank);
  require(!o.diagonal || o.tied, "diagonal", "false where queries and keys have maps of their own", "true");
  require(!o.diagonal || o.rank == 0, "rank", "0 with diagonal maps, which keep all features", o.rank);
  require(o.map_width >= 0, "map_width", "at least 1, or 0 for no map", o.map_width);
  require(!o.map_width || (o.tied && !o.diagonal), "map_width",
          "0 where queries and keys have maps of their own, or diagonal ones", o.map_width);
  require(o.project || (o.tied && !o.diagonal), "project",
          "true where queries and keys have maps of their own, or diagonal ones", "false");
  require(o.project || o.rank == 0, "rank", "0 without a map, which keeps all features", o.rank);
  require(!o.share_map || o.map_width, "share_map", "false without a map_width", "true");
  require(o.temperature >= 0 && std::isfinite(o.temperature), "temperature",
          "positive and finite, or 0 for the rank's own", o.temperature);
  require(!o.key_bias || o.score == Score::dot, "key_bias",
          "false with other scores: squared distances contain it", "true");
  const bool is_additive = o.score == Score::additive, is_dynamic = o.score == Score::additive_dynamic,
             is_given = o.score == Score::given;
  require(!is_additive || o.tied, "tied", "true with additive scores, which compare one map of the tokens",
          "false");
  require(!is_dynamic || !o.tied, "tied",
          "false with dynamic additive scores, whose queries and keys have maps of their own", "true");
  require(!is_given || (o.tied && !o.project), "project",
          "false, and tied true, where weights are given and nothing is compared",
          o.project ? "true" : "tied=false");
  require(!(is_additive || is_dynamic || is_given) || (!o.diagonal && !o.map_width), "map_width",
          "0, and diagonal false, with additive scores and given weights", o.map_width);
  require(!is_given || !o.learn_temperature, "learn_temperature", "false where weights are given", "true");
  require(std::isfinite(o.slope), "slope", "a finite number", o.slope);
}

/// The cost that is used: a dot product with the key bias -|k|^2 / (2 t) is a squared distance at 2 t, up to a constant
/// for each query.
bool squared(const AttentionLayerOptions& o) { return o.score == Score::sqdist || o.key_bias; }

double fixed_temperature(const AttentionLayerOptions& o, Index rank) {
  if (o.temperature > 0) return o.temperature;
  if (o.score == Score::additive || o.score == Score::additive_dynamic) return 1;
  return (o.score == Score::sqdist ? 2 : 1) * std::sqrt(static_cast<double>(rank));
}

/// tanh of each entry.
template <class T> void bend(Tile<T> x, const Execution& run) {
  constexpr Index rows = 64;
  const Execution threads = engine::sized(run, 32 * static_cast<double>(x.size()));
  engine::parallel_blocks(engine::block_count(x.rows(), rows), threads, "attending", [&](Index b) {
    const engine::Block block = engine::block_of(b, x.rows(), rows);
    auto part = x.middleRows(block.begin, block.size);
    part = part.array().tanh();
  });
}

/// What tokens were mapped to. NaN or infinity would be lost in the weights, which are finite of any scores.
template <class T> void require_finite(const char* what, const Matrix<T>& mapped) {
  if ((mapped.array() * T(0)).sum() == T(0)) return;  // 0 times a number is 0 exactly where it is finite
  refuse("x or parameters", std::string("such that the tokens' ") + what + " are finite", "NaN or infinity");
}

/// Padding may hold anything, and NaN times 0 is NaN.
template <class T> void clear_padding(const Attending& who, Matrix<T>& tokens) {
  for (Index i = 0; i < tokens.rows() && who.key_padding; ++i)
    if (!(*who.key_padding)->data()[i] && !tokens.row(i).allFinite()) tokens.row(i).setZero();
}

/// Of a const matrix what is read, else where results go.
template <class T>
StridedRows<T> part_of(const Matrix<T>& m, Index row, Index rows, Index column, Index cols) {
  return {m.data() + row * m.cols() + column, rows, cols, Eigen::OuterStride<>(m.cols())};
}
template <class T> Part<T> part_of(Matrix<T>& m, Index row, Index rows, Index column, Index cols) {
  return {m, row, rows, column, cols};
}

/// The lengths of one call.
struct Lengths {
  Index batch, num_heads, n_queries, n_keys;
};

Lengths lengths_of(Index query_tokens, Index key_tokens, Index num_heads, const Attending& who) {
  require(who.batch >= 1, "batch", "at least 1", who.batch);
  const auto divided = [&](const char* name, Index tokens) {
    require(tokens % who.batch == 0, name,
            "batch = " + std::to_string(who.batch) + " sequences of one length",
            std::to_string(tokens) + " rows");
    return tokens / who.batch;
  };
  const Lengths n{who.batch, num_heads, divided("x", query_tokens), divided("context", key_tokens)};
  const Index supports = std::ssize(who.supports);
  require(supports == 0 || supports == 1 || supports == n.batch || supports == n.batch * num_heads,
          "supports",
          "one, or one for each of " + std::to_string(n.batch) + " sequences, or for each of their "
              + std::to_string(num_heads) + " heads",
          supports);
  if (who.key_padding) {
    const BoolMatrix& padding = **who.key_padding;
    require(padding.rows() == n.batch && padding.cols() == n.n_keys, "key_padding_mask",
            "of shape (" + std::to_string(n.batch) + ", " + std::to_string(n.n_keys) + ")",
            std::to_string(padding.rows()) + " x " + std::to_string(padding.cols()));
  }
  return n;
}

const Support& support_of(const Attending& who, const Lengths& n, Index sequence, Index head) {
  static const Support everybody;
  const Index supports = std::ssize(who.supports);
  if (supports == 0) return everybody;
  const Index own = supports == 1 ? 0 : supports == n.batch ? sequence : sequence * n.num_heads + head;
  return who.supports[static_cast<std::size_t>(own)];
}

/// log weights of each sequence's keys: -inf of padding; none where there is none.
std::vector<Vector<double>> weights_of_padding(const Attending& who) {
  std::vector<Vector<double>> weights;
  if (!who.key_padding) return weights;
  constexpr double minus_infinity = -std::numeric_limits<double>::infinity();
  for (const auto& tokens : (*who.key_padding)->rowwise())
    weights.push_back(
        tokens.transpose().select(0.0, Vector<double>::Constant(tokens.size(), minus_infinity)));
  return weights;
}

/// The columns of one head in the rows of one sequence.
struct Place {
  Index query_row, n_queries, key_row, n_keys, rank_column, rank, value_column, value_dim;
};

Place place_of(const Lengths& n, Index sequence, Index head, Index rank, Index value_dim) {
  return {sequence * n.n_queries, n.n_queries, sequence * n.n_keys, n.n_keys, head * rank, rank,
          head * value_dim,       value_dim};
}

template <class M> auto queries_at(M& queries, const Place& p) {
  return part_of(queries, p.query_row, p.n_queries, p.rank_column, p.rank);
}
template <class M> auto keys_at(M& keys, const Place& p) {
  return part_of(keys, p.key_row, p.n_keys, p.rank_column, p.rank);
}
template <class M> auto values_at(M& values, const Place& p) {
  return part_of(values, p.key_row, p.n_keys, p.value_column, p.value_dim);
}
template <class M> auto attended_at(M& attended, const Place& p) {
  return part_of(attended, p.query_row, p.n_queries, p.value_column, p.value_dim);
}

/// Calls work(sequence, head, run) for all.
template <class Work>
void each_head(const Lengths& n, Index heads, Index width, const Execution& run, const Work& work) {
  const Index count = n.batch * heads;
  const double multiplications = static_cast<double>(count * n.n_queries * n.n_keys * width);
  engine::parallel_tasks(count, engine::sized(run, multiplications / 32), "attending",
                         [&](Index i, const Execution& inside) { work(i / heads, i % heads, inside); });
}

/// All heads of the sequences that a trace holds the tokens of, each as a step: its mechanism, and what it is taken on.
template <class T> class Heads {
 public:
  Heads(const AttentionLayer& layer, const Vector<T>& parameters, const AttentionTrace<T>& trace,
        const Attending& who, const Lengths& n)
      : layer_(layer), trace_(trace), n_(n), padding_(weights_of_padding(who)) {
    // Mechanisms are made once for all sequences that may share them: of short ones there are thousands a second.
    const Index sequences = who.supports.size() > 1 ? n.batch : 1;
    for (Index s = 0; s < sequences; ++s)
      for (Index h = 0; h < n.num_heads; ++h) {
        Mechanism head = layer.compared_by(layer.cost_of(parameters, h), parameters, h);
        head.support = support_of(who, n, s, h);
        mechanisms_.push_back(std::move(head));
      }
  }

  const Mechanism& mechanism(Index sequence, Index head) const {
    const bool shared = std::ssize(mechanisms_) == n_.num_heads;
    return mechanisms_[static_cast<std::size_t>(shared ? head : sequence * n_.num_heads + head)];
  }
  StepInputs<T> inputs(Index sequence, Index head) const {
    const AttentionLayerOptions& o = layer_.options();
    const Place p = place_of(n_, sequence, head, layer_.score_rank(), o.embed_dim / o.num_heads);
    return {.q = queries_at(trace_.queries, p),
            .k = keys_at(trace_.keys.size() ? trace_.keys : trace_.queries, p),
            .v = values_at(trace_.values, p),
            .log_key_weights = padding_.empty() ? nullptr : &padding_[static_cast<std::size_t>(sequence)],
            .one_set = trace_.keys.size() == 0};
  }
  /// For all heads of a single sequence at once.
  GraphInputs<T> on_graph() const {
    const bool one_set = trace_.keys.size() == 0;
    return {mechanisms_, trace_.queries, one_set ? trace_.queries : trace_.keys, trace_.values, one_set};
  }
  bool single() const { return n_.batch == 1 && padding_.empty(); }

 private:
  const AttentionLayer& layer_;
  const AttentionTrace<T>& trace_;
  const Lengths& n_;
  std::vector<Vector<double>> padding_;
  std::vector<Mechanism> mechanisms_;
};

/// The loss's derivatives by what heads have of their own, a sequence's heads one after the other.
struct ScoreGradient {
  std::vector<double> log_temperature;
  std::vector<Matrix<double>> a;  ///< a row each, of dynamic additive scores
};

template <class T>
ScoreGradient vjp_of_heads(const Heads<T>& all, const Lengths& n, Index rank, AttentionTrace<T>& trace,
                           const Execution& run) {
  const Index value_dim = trace.values.cols() / n.num_heads;
  const std::size_t count = static_cast<std::size_t>(n.batch * n.num_heads);
  ScoreGradient found{std::vector<double>(count), std::vector<Matrix<double>>(count)};
  each_head(n, n.num_heads, 3 * (rank + value_dim), run, [&](Index s, Index h, const Execution& inside) {
    const std::size_t at = static_cast<std::size_t>(s * n.num_heads + h);
    const Place p = place_of(n, s, h, rank, value_dim);
    StepGradient<T> sums{queries_at(trace.by_queries, p),
                         keys_at(trace.keys.size() ? trace.by_keys : trace.by_queries, p),
                         values_at(trace.by_values, p)};
    step_vjp<T>(all.mechanism(s, h), all.inputs(s, h), trace.heads[at],
                attended_at(std::as_const(trace.attended), p),
                attended_at(std::as_const(trace.by_attended), p), sums, inside);
    found.log_temperature[at] = sums.log_temperature;
    found.a[at] = std::move(sums.metric["a"]);
  });
  if (found.a[0].size() == 0) found.a.clear();
  return found;
}

template <class T>
ScoreGradient vjp_on_graph(const Heads<T>& all, bool temperature_wanted, AttentionTrace<T>& trace,
                           const Execution& run) {
  const GraphInputs<T> inputs = all.on_graph();
  GraphGradient<T> sums{trace.by_queries, inputs.one_set ? trace.by_queries : trace.by_keys, trace.by_values,
                        temperature_wanted};
  graph_steps_vjp<T>(inputs, trace.graph, trace.attended, trace.by_attended, sums, run);
  return {std::move(sums.log_temperature),
          std::vector<Matrix<double>>(sums.a.rowwise().begin(), sums.a.rowwise().end())};
}

}  // namespace

AttentionLayerOptions self_attention(Index embed_dim, Index num_heads, bool bias) {
  return {.embed_dim = embed_dim, .num_heads = num_heads, .bias = bias};
}
AttentionLayerOptions l2_attention(Index embed_dim, Index num_heads, bool bias) {
  return {.embed_dim = embed_dim,
          .num_heads = num_heads,
          .score = Score::sqdist,
          .tied = true,
          .learn_temperature = true,
          .bias = bias};
}
AttentionLayerOptions metric_attention(Index embed_dim, Index num_heads, Index map_width, bool bias) {
  AttentionLayerOptions o = l2_attention(embed_dim, num_heads, bias);
  o.learn_temperature = false;
  o.temperature = 1;
  o.map_width = map_width ? map_width : embed_dim / std::max<Index>(num_heads, 1);
  return o;
}

AttentionLayer::AttentionLayer(const AttentionLayerOptions& options, ParameterLayout& layout,
                               const std::string& prefix)
    : options_(options) {
  check(options);
  const Index E = options.embed_dim, heads = options.num_heads;
  rank_ = options.diagonal || !options.project ? E : options.rank ? options.rank : E / heads;
  const Index width = heads * rank_, of_values = options.values ? E : 0;
  if (options.tied) {
    if (options.project)
      query_ = options.diagonal ? layout.add_matrix(prefix + "metric_diagonal", heads, E)
                                : layout.add_matrix(prefix + "metric_proj.weight", width, E);
    key_ = query_;
    if (const Index w = options.map_width) {
      const Index stack = options.share_map ? 0 : heads;
      const auto add = [&](const char* name, Index rows, Index cols) {
        return layout.add_stack(prefix + name, stack, rows, cols);
      };
      map_in_ = add("map_in.weight", w, rank_);
      map_in_bias_ = add("map_in.bias", w, 0);
      map_out_ = add("map_out.weight", rank_, w);
      map_out_bias_ = add("map_out.bias", rank_, 0);
    }
    if (options.score == Score::additive) {
      att_query_ = layout.add_matrix(prefix + "att_query", heads, rank_);
      att_key_ = layout.add_matrix(prefix + "att_key", heads, rank_);
    }
    if (options.values) {
      value_ = layout.add_matrix(prefix + "v_proj.weight", E, E);
      if (options.bias) value_bias_ = layout.add_vector(prefix + "v_proj.bias", E);
    }
  } else {
    const Slot all = layout.add_matrix(prefix + "in_proj_weight", 2 * width + of_values, E);
    query_ = rows_of(all, 0, width);
    key_ = rows_of(all, width, width);
    value_ = rows_of(all, 2 * width, of_values);
    if (options.bias) {
      const Slot bias = layout.add_vector(prefix + "in_proj_bias", 2 * width + of_values);
      query_bias_ = rows_of(bias, 0, width);
      key_bias_ = rows_of(bias, width, width);
      value_bias_ = rows_of(bias, 2 * width, of_values);
    }
    if (options.score == Score::additive_dynamic) att_ = layout.add_matrix(prefix + "att", heads, rank_);
  }
  if (options.values) {
    out_ = layout.add_matrix(prefix + "out_proj.weight", E, E);
    if (options.bias) out_bias_ = layout.add_vector(prefix + "out_proj.bias", E);
  }
  if (options.learn_temperature) log_temperature_ = layout.add_vector(prefix + "log_temperature", heads);
}

template <class T> void AttentionLayer::initialize(Vector<T>& parameters, std::uint64_t seed) const {
  Uniform random(seed);
  const Index E = options_.embed_dim, width = options_.num_heads * rank_, of_values = options_.values ? E : 0;
  const auto fill = [&](const Slot& slot, double bound) {
    random.fill(parameters.segment(slot.offset, slot.size()), bound);
  };
  const auto glorot = [E](Index outputs) { return std::sqrt(6.0 / static_cast<double>(E + outputs)); };
  if (options_.diagonal)
    parameters.segment(query_.offset, query_.size()).setOnes();
  else
    fill(query_, glorot(options_.tied ? width : 2 * width + of_values));
  if (!options_.tied) fill(key_, glorot(2 * width + of_values));
  fill(value_, glorot(options_.tied ? E : 2 * width + of_values));
  fill(out_, 1 / std::sqrt(static_cast<double>(E)));
  const double of_map = std::sqrt(6.0 / static_cast<double>(rank_ + options_.map_width));
  fill(map_in_, of_map);
  fill(map_out_, of_map);
  for (const Slot& of_score : {att_query_, att_key_, att_})
    fill(of_score, std::sqrt(6.0 / static_cast<double>(rank_ + 1)));
  for (const Slot& bias : {query_bias_, key_bias_, value_bias_, out_bias_, map_in_bias_, map_out_bias_})
    parameters.segment(bias.offset, bias.size()).setZero();
  parameters.segment(log_temperature_.offset, log_temperature_.size())
      .setConstant(static_cast<T>(std::log(fixed_temperature(options_, rank_))));
}

template <class T> double AttentionLayer::temperature_of(const Vector<T>& parameters, Index head) const {
  if (!options_.learn_temperature) return (options_.key_bias ? 2 : 1) * fixed_temperature(options_, rank_);
  const double log_t = static_cast<double>(parameters(log_temperature_.offset + head)), t = std::exp(log_t);
  require(t > 0 && std::isfinite(t), "log_temperature",
          "of a temperature that is positive and finite, in [-745, 709]", log_t);
  return options_.key_bias ? 2 * t : t;
}

template <class T> Metric AttentionLayer::cost_of(const Vector<T>& parameters, Index head) const {
  const bool is_dynamic = options_.score == Score::additive_dynamic;
  if (is_dynamic || options_.score == Score::additive) {
    const Vector<double> a =
        is_dynamic ? Vector<double>(matrix_at(att_, parameters).row(head).template cast<double>())
                   : Vector<double>(Vector<double>::Ones(1));
    return AdditiveDynamic{.a = a, .slope = options_.slope};
  }
  if (squared(options_) || options_.score == Score::given) return SquaredEuclidean{};
  return DotProduct{};
}

// A diagonal map gives each head all features, each times a number of its own; without a map it has them as they are.

template <class T>
void AttentionLayer::map_tokens(const Vector<T>& parameters, const Slot& map, const Slot& bias,
                                const Matrix<T>& tokens, Matrix<T>& out, const Execution& run) const {
  out.resize(tokens.rows(), options_.num_heads * rank_);
  const auto W = matrix_at(map, parameters);
  if (options_.project && !options_.diagonal)
    return affine<T>(tokens, W, matrix_at(bias, parameters), out, run);
  for (Index h = 0; h < options_.num_heads; ++h) {
    auto of_head = out.middleCols(h * rank_, rank_);
    of_head = tokens;
    if (options_.diagonal) of_head *= W.row(h).asDiagonal();
  }
}

Slot AttentionLayer::of_head(const Slot& slot, Index head, Index rows) const {
  return options_.share_map ? slot : rows_of(slot, head * rows, rows);
}

template <class T>
void AttentionLayer::see_residual(const Vector<T>& parameters, Matrix<T>& mapped, ResidualTrace<T>& trace,
                                  const Execution& run) const {
  const Index w = options_.map_width;
  trace.given = mapped;
  trace.hidden.resize(mapped.rows(), options_.num_heads * w);
  for (Index h = 0; h < options_.num_heads; ++h) {
    const auto at = [&](const Slot& slot, Index rows) {
      return matrix_at(of_head(slot, h, rows), parameters);
    };
    const auto given = trace.given.middleCols(h * rank_, rank_);
    auto hidden = trace.hidden.middleCols(h * w, w);
    auto out = mapped.middleCols(h * rank_, rank_);
    affine<T>(given, at(map_in_, w), at(map_in_bias_, 1), hidden, run);
    bend<T>(hidden, run);
    affine<T>(hidden, at(map_out_, rank_), at(map_out_bias_, 1), out, run);
    out += given;
  }
}

template <class T>
void AttentionLayer::see_score(const Vector<T>& parameters, const Slot& of_score, Matrix<T>& mapped,
                               ResidualTrace<T>& trace) const {
  trace.given = std::move(mapped);
  mapped.resize(trace.given.rows(), options_.num_heads);
  const auto a = matrix_at(of_score, parameters);
  for (Index h = 0; h < options_.num_heads; ++h)
    mapped.col(h).noalias() = trace.given.middleCols(h * rank_, rank_) * a.row(h).transpose();
}

template <class T>
void AttentionLayer::vjp_score(const Vector<T>& parameters, const Slot& of_score,
                               const ResidualTrace<T>& trace, Matrix<T>& grad, Vector<T>& gradient) const {
  Matrix<T> by_mapped(trace.given.rows(), trace.given.cols());
  const auto a = matrix_at(of_score, parameters);
  auto by_a = matrix_at(of_score, gradient);
  for (Index h = 0; h < options_.num_heads; ++h) {
    by_mapped.middleCols(h * rank_, rank_).noalias() = grad.col(h) * a.row(h);
    by_a.row(h).noalias() += grad.col(h).transpose() * trace.given.middleCols(h * rank_, rank_);
  }
  grad = std::move(by_mapped);
}

/// grad is the loss's derivative by phi of what the trace was given, and becomes that by what it was given.
template <class T>
void AttentionLayer::vjp_residual(const Vector<T>& parameters, const ResidualTrace<T>& trace, Matrix<T>& grad,
                                  Vector<T>& gradient, const Execution& run) const {
  const Index w = options_.map_width;
  Matrix<T> by_hidden(grad.rows(), w);
  for (Index h = 0; h < options_.num_heads; ++h) {
    const auto at = [&](const Slot& slot, Index rows) {
      return matrix_at(of_head(slot, h, rows), parameters);
    };
    const auto sum = [&](const Slot& slot, Index rows) {
      return matrix_at(of_head(slot, h, rows), gradient);
    };
    const auto hidden = trace.hidden.middleCols(h * w, w);
    auto by_out = grad.middleCols(h * rank_, rank_);
    affine_vjp_input<T>(by_out, at(map_out_, rank_), by_hidden, run);
    affine_vjp_parameters<T>(by_out, hidden, sum(map_out_, rank_), sum(map_out_bias_, 1), run);
    by_hidden.array() *= T(1) - hidden.array().square();
    affine_vjp_parameters<T>(by_hidden, trace.given.middleCols(h * rank_, rank_), sum(map_in_, w),
                             sum(map_in_bias_, 1), run);
    affine_add_input<T>(by_hidden, at(map_in_, w), by_out, run);
  }
}

template <class T>
void AttentionLayer::vjp_tokens(const Vector<T>& parameters, const Slot& map, const Slot& bias,
                                const Matrix<T>& tokens, const Matrix<T>& grad_out, Matrix<T>& grad_tokens,
                                Vector<T>& gradient, const Execution& run) const {
  const auto W = matrix_at(map, parameters);
  auto grad_W = matrix_at(map, gradient);
  if (options_.project && !options_.diagonal) {
    affine_add_input<T>(grad_out, W, grad_tokens, run);
    return affine_vjp_parameters<T>(grad_out, tokens, grad_W, matrix_at(bias, gradient), run);
  }
  for (Index h = 0; h < options_.num_heads; ++h) {
    const auto of_head = grad_out.middleCols(h * rank_, rank_);
    if (!options_.diagonal) {
      grad_tokens += of_head;
      continue;
    }
    grad_tokens += of_head * W.row(h).asDiagonal();
    grad_W.row(h) += of_head.cwiseProduct(tokens).colwise().sum();
  }
}

template <class T>
Matrix<T> AttentionLayer::forward(const Vector<T>& parameters, const Values<T>& x, const Matrix<T>* context,
                                  const Attending& who, AttentionTrace<T>& trace,
                                  const Execution& run) const {
  const engine::Call call(run);
  const Index E = options_.embed_dim, heads = options_.num_heads;
  require(x.cols() == E, "x", "of embed_dim = " + std::to_string(E) + " columns", x.cols());
  require(!context || context->cols() == E, "context", "of embed_dim = " + std::to_string(E) + " columns",
          context ? context->cols() : 0);
  const Lengths n = lengths_of(x.rows(), context ? context->rows() : x.rows(), options().num_heads, who);
  trace.x = x;
  if (context)
    trace.context = *context;
  else
    trace.context.resize(0, 0);
  Matrix<T>& source = context ? trace.context : trace.x;
  clear_padding(who, source);

  const auto see = [&](const Slot& map, const Slot& bias, const Matrix<T>& tokens, Matrix<T>& seen,
                       ResidualTrace<T>& residual) {
    map_tokens(parameters, map, bias, tokens, seen, run);
    if (options_.map_width) see_residual(parameters, seen, residual, run);
  };
  const bool is_additive = options_.score == Score::additive;
  see(query_, query_bias_, trace.x, trace.queries, trace.query_map);
  if (options_.tied && !context && !is_additive)
    trace.keys.resize(0, 0);
  else
    see(key_, key_bias_, source, trace.keys, trace.key_map);
  if (is_additive) {
    see_score(parameters, att_query_, trace.queries, trace.query_map);
    see_score(parameters, att_key_, trace.keys, trace.key_map);
  }
  trace.values.resize(source.rows(), E);
  if (options_.values)
    affine<T>(source, matrix_at(value_, parameters), matrix_at(value_bias_, parameters), trace.values, run);
  else
    trace.values = source;
  require_finite("queries", trace.queries);
  require_finite("keys", trace.keys);
  require_finite("values", trace.values);

  trace.attended.resize(x.rows(), E);
  const Heads<T> all(*this, parameters, trace, who, n);
  trace.on_one_graph = all.single() && graph_steps<T>(all.on_graph(), trace.attended, trace.graph, run);
  trace.heads.resize(trace.on_one_graph ? 0 : static_cast<std::size_t>(n.batch * heads));
  const Index separate = trace.on_one_graph ? 0 : heads;
  each_head(n, separate, score_rank() + E / heads, run, [&](Index s, Index h, const Execution& inside) {
    const Place p = place_of(n, s, h, score_rank(), E / heads);
    step<T>(all.mechanism(s, h), all.inputs(s, h), attended_at(trace.attended, p),
            trace.heads[static_cast<std::size_t>(s * heads + h)], inside);
  });
  if (!options_.values) return trace.attended;
  Matrix<T> out(x.rows(), E);
  affine<T>(trace.attended, matrix_at(out_, parameters), matrix_at(out_bias_, parameters), out, run);
  return out;
}

template <class T>
AttentionGradient<T> AttentionLayer::backward(const Vector<T>& parameters, AttentionTrace<T>& trace,
                                              const Values<T>& grad_output, const Attending& who,
                                              Vector<T>& gradient, const Execution& run) const {
  const engine::Call call(run);
  const Index E = options_.embed_dim, heads = options_.num_heads;
  const bool crossed = trace.context.size() > 0, own_keys = trace.keys.size() > 0;
  const Matrix<T>& source = crossed ? trace.context : trace.x;
  require(grad_output.rows() == trace.x.rows() && grad_output.cols() == E, "grad_output",
          "of the output's shape",
          std::to_string(grad_output.rows()) + " x " + std::to_string(grad_output.cols()));
  const Lengths n = lengths_of(trace.x.rows(), source.rows(), options().num_heads, who);

  if (options_.values) {
    trace.by_attended.resize(trace.x.rows(), E);
    affine_vjp_input<T>(grad_output, matrix_at(out_, parameters), trace.by_attended, run);
    affine_vjp_parameters<T>(grad_output, trace.attended, matrix_at(out_, gradient),
                             matrix_at(out_bias_, gradient), run);
  } else {
    trace.by_attended = grad_output;
  }

  trace.by_queries.resize(trace.queries.rows(), trace.queries.cols());
  trace.by_keys.resize(trace.keys.rows(), trace.keys.cols());
  trace.by_values.resize(source.rows(), E);
  const Heads<T> all(*this, parameters, trace, who, n);
  const ScoreGradient by_score = trace.on_one_graph
                                     ? vjp_on_graph(all, options_.learn_temperature, trace, run)
                                     : vjp_of_heads(all, n, score_rank(), trace, run);
  for (Index i = 0; i < std::ssize(by_score.a) && att_.size(); ++i)  // additive scores have a fixed one
    matrix_at(att_, gradient).row(i % heads) += by_score.a[static_cast<std::size_t>(i)].template cast<T>();
  for (Index i = 0; i < n.batch * heads && options_.learn_temperature; ++i)
    gradient(log_temperature_.offset + i % heads) +=
        static_cast<T>(by_score.log_temperature[static_cast<std::size_t>(i)]);

  AttentionGradient<T> found;
  if (crossed) found.x.setZero(trace.x.rows(), E);
  Matrix<T>& by_source = crossed ? found.context : found.x;
  if (options_.values) {
    by_source.resize(source.rows(), E);
    affine_vjp_input<T>(trace.by_values, matrix_at(value_, parameters), by_source, run);
    affine_vjp_parameters<T>(trace.by_values, source, matrix_at(value_, gradient),
                             matrix_at(value_bias_, gradient), run);
  } else {
    by_source = trace.by_values;
  }
  if (options_.map_width) {
    vjp_residual(parameters, trace.query_map, trace.by_queries, gradient, run);
    if (own_keys) vjp_residual(parameters, trace.key_map, trace.by_keys, gradient, run);
  }
  if (options_.score == Score::additive) {
    vjp_score(parameters, att_query_, trace.query_map, trace.by_queries, gradient);
    vjp_score(parameters, att_key_, trace.key_map, trace.by_keys, gradient);
  }
  vjp_tokens(parameters, query_, query_bias_, trace.x, trace.by_queries, found.x, gradient, run);
  if (own_keys) vjp_tokens(parameters, key_, key_bias_, source, trace.by_keys, by_source, gradient, run);
  return found;
}

template <class T>
Matrix<T> AttentionLayer::weights(const Vector<T>& parameters, const AttentionTrace<T>& trace,
                                  const Attending& who, Index sequence, Index head,
                                  const Execution& run) const {
  const engine::Call call(run);
  const Matrix<T>& source = trace.context.size() ? trace.context : trace.x;
  const Lengths n = lengths_of(trace.x.rows(), source.rows(), options().num_heads, who);
  require(sequence >= 0 && sequence < n.batch, "sequence", "in [0, " + std::to_string(n.batch - 1) + "]",
          sequence);
  require(head >= 0 && head < options_.num_heads, "head",
          "in [0, " + std::to_string(options_.num_heads - 1) + "]", head);
  const Heads<T> all(*this, parameters, trace, who, n);
  return step_operator<T>(all.mechanism(sequence, head), all.inputs(sequence, head), run).dense(run);
}

template <class T> Metric AttentionLayer::metric_of(const Vector<T>& parameters, Index head) const {
  require(head >= 0 && head < options_.num_heads, "head",
          "in [0, " + std::to_string(options_.num_heads - 1) + "]", head);
  const auto factor = [&](const Slot& map) -> Matrix<double> {
    if (options_.diagonal)
      return matrix_at(map, parameters)
          .row(head)
          .transpose()
          .asDiagonal()
          .toDenseMatrix()
          .template cast<double>();
    if (!options_.project) return Matrix<double>::Identity(rank_, rank_);
    return matrix_at(map, parameters).middleRows(head * rank_, rank_).template cast<double>();
  };
  if (const Index w = options_.map_width) {
    const auto at = [&](const Slot& slot, Index rows) {
      return Matrix<double>(matrix_at(of_head(slot, head, rows), parameters).template cast<double>());
    };
    const auto bias = [&](const Slot& slot) { return Vector<double>(at(slot, 1).transpose()); };
    const Matrix<double> W = factor(query_);
    Mapped metric{maps::ResidualMLP{.W1 = Matrix<double>(at(map_in_, w) * W),
                                    .b1 = bias(map_in_bias_),
                                    .W2 = at(map_out_, rank_),
                                    .b2 = bias(map_out_bias_),
                                    .skip = options_.project ? W : Matrix<double>()}};
    if (!squared(options_)) metric.metric = DotProduct{};
    return metric;
  }
  if (!options_.project && options_.score != Score::additive) return cost_of(parameters, head);
  if (options_.score == Score::additive) {
    const auto back = [&](const Slot& of_score) -> Vector<double> {
      return factor(query_).transpose()
             * matrix_at(of_score, parameters).row(head).transpose().template cast<double>();
    };
    return Additive{.a_query = back(att_query_), .a_key = back(att_key_), .slope = options_.slope};
  }
  if (options_.score == Score::additive_dynamic) {
    AdditiveDynamic metric = std::get<AdditiveDynamic>(cost_of(parameters, head));
    metric.W_q = factor(query_);
    metric.W_k = factor(key_);
    if (query_bias_.size()) {
      const auto bias = [&](const Slot& slot) {
        return Vector<double>(parameters.segment(slot.offset + head * rank_, rank_).template cast<double>());
      };
      metric.b = Vector<double>(bias(query_bias_) + bias(key_bias_));
    }
    return metric;
  }
  if (squared(options_)) {
    require(options_.tied, "tied", "true for a metric: maps of their own make |Wq x - Wk z|^2, which is none",
            "false");
    return Mahalanobis{factor(query_)};
  }
  return Bilinear{factor(query_), factor(key_)};
}

template <class T>
Vector<double> AttentionLayer::log_key_weights(const Vector<T>& parameters, Index head,
                                               const Values<T>& z) const {
  require(head >= 0 && head < options_.num_heads, "head",
          "in [0, " + std::to_string(options_.num_heads - 1) + "]", head);
  require(z.cols() == options_.embed_dim, "z",
          "of embed_dim = " + std::to_string(options_.embed_dim) + " columns", z.cols());
  if (options_.score != Score::dot || options_.key_bias || query_bias_.size() == 0)
    return Vector<double>::Zero(z.rows());
  const Vector<double> bias =
      parameters.segment(query_bias_.offset + head * rank_, rank_).template cast<double>();
  const Matrix<double> W =
      matrix_at(key_, parameters).middleRows(head * rank_, rank_).template cast<double>();
  return z.template cast<double>() * (W.transpose() * bias) / temperature_of(parameters, head);
}

#define LIKEWISE_INSTANTIATE(T)                                                                             \
  template void AttentionLayer::initialize(Vector<T>&, std::uint64_t) const;                                \
  template Matrix<T> AttentionLayer::forward(const Vector<T>&, const Values<T>&, const Matrix<T>*,          \
                                             const Attending&, AttentionTrace<T>&, const Execution&) const; \
  template AttentionGradient<T> AttentionLayer::backward(const Vector<T>&, AttentionTrace<T>&,              \
                                                         const Values<T>&, const Attending&, Vector<T>&,    \
                                                         const Execution&) const;                           \
  template Matrix<T> AttentionLayer::weights(const Vector<T>&, const AttentionTrace<T>&, const Attending&,  \
                                             Index, Index, const Execution&) const;                         \
  template Metric AttentionLayer::metric_of(const Vector<T>&, Index) const;                                 \
  template Metric AttentionLayer::cost_of(const Vector<T>&, Index) const;                                   \
  template Vector<double> AttentionLayer::log_key_weights(const Vector<T>&, Index, const Values<T>&) const; \
  template double AttentionLayer::temperature_of(const Vector<T>&, Index) const;
LIKEWISE_INSTANTIATE(float)
LIKEWISE_INSTANTIATE(double)
#undef LIKEWISE_INSTANTIATE

}  // namespace likewise::nn
