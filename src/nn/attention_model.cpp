#include <likewise/nn/attention_model.hpp>

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <utility>

#include "engine/call.hpp"
#include "engine/parallel.hpp"
#include "nn/random.hpp"

namespace likewise::nn {
namespace {

const AttentionModelOptions& checked(const AttentionModelOptions& o) {
  require(o.n_tokens >= 1, "n_tokens", "at least 1", o.n_tokens);
  require(o.n_features >= 1, "n_features", "at least 1", o.n_features);
  require(o.n_outputs >= 1, "n_outputs", "at least 1", o.n_outputs);
  require(o.n_layers >= 0, "n_layers", "not negative", o.n_layers);
  require(o.block.attention.embed_dim >= 1, "embed_dim", "at least 1", o.block.attention.embed_dim);
  require(std::isfinite(o.position_std) && o.position_std >= 0, "position_std",
          "a number that is not negative", o.position_std);
  return o;
}

std::vector<EncoderBlock> blocks_of(const AttentionModelOptions& o, ParameterLayout& layout) {
  std::vector<EncoderBlock> blocks;
  for (Index i = 0; i < o.n_layers; ++i)
    blocks.emplace_back(o.block, layout, "blocks." + std::to_string(i) + ".");
  return blocks;
}

/// Normal numbers by Box and Muller (1958), the same with every standard library.
template <class Segment> void fill_normal(Segment numbers, double deviation, std::uint64_t seed) {
  constexpr double two_pi = 6.28318530717958647692;
  Uniform random(seed);
  for (Index i = 0; i < numbers.size(); ++i) {
    const double radius = std::sqrt(-2 * std::log(1 - random.next()));
    numbers(i) = static_cast<typename Segment::Scalar>(deviation * radius * std::cos(two_pi * random.next()));
  }
}

/// The padding of all tokens: a cls token in front is none.
std::optional<Shared<BoolMatrix>> padding_of(const BoolMatrix* key_padding, Index length) {
  if (!key_padding) return {};
  const Index n_tokens = key_padding->cols();
  BoolMatrix padding = BoolMatrix::Constant(key_padding->rows(), length, true);
  padding.rightCols(n_tokens) = *key_padding;
  return Shared<BoolMatrix>(std::move(padding));
}
const BoolMatrix* padding_in(const Attending& who) { return who.key_padding ? &**who.key_padding : nullptr; }

}  // namespace

AttentionModel::AttentionModel(const AttentionModelOptions& options)
    : options_(checked(options)),
      embedding_(options.n_features, options.block.attention.embed_dim, layout_, "embedding."),
      positions_(options.positions
                     ? layout_.add_matrix("positions", options.n_tokens, options.block.attention.embed_dim)
                     : Slot{}),
      cls_token_(options.pooling == Pooling::cls
                     ? layout_.add_vector("cls_token", options.block.attention.embed_dim)
                     : Slot{}),
      blocks_(blocks_of(options, layout_)),
      norm_(options.block.attention.embed_dim, layout_, "norm."),
      head_(options.block.attention.embed_dim, options.n_outputs, layout_, "head.") {}

template <class T> Vector<T> AttentionModel::initial_parameters(std::uint64_t seed) const {
  Vector<T> parameters = Vector<T>::Zero(layout_.size());
  std::mt19937_64 seeds(seed);
  embedding_.initialize(parameters, seeds());
  for (const Slot& slot : {positions_, cls_token_})
    fill_normal(parameters.segment(slot.offset, slot.size()), options_.position_std, seeds());
  for (const EncoderBlock& block : blocks_) block.initialize(parameters, seeds());
  norm_.initialize(parameters);
  head_.initialize(parameters, seeds());
  return parameters;
}

template <class T>
void AttentionModel::check(const Vector<T>& parameters, const Values<T>& X,
                           const BoolMatrix* key_padding) const {
  const AttentionModelOptions& o = options_;
  require(parameters.size() == layout_.size(), "parameters",
          "the model's " + std::to_string(layout_.size()) + " numbers", parameters.size());
  require(X.cols() == o.n_features, "X", "of n_features = " + std::to_string(o.n_features) + " columns",
          X.cols());
  require(X.rows() % o.n_tokens == 0, "X",
          "of whole sequences of n_tokens = " + std::to_string(o.n_tokens) + " rows", X.rows());
  const Index batch = X.rows() / o.n_tokens;
  require(
      !key_padding || (key_padding->rows() == batch && key_padding->cols() == o.n_tokens), "key_padding",
      "of shape (" + std::to_string(batch) + ", " + std::to_string(o.n_tokens) + ")",
      key_padding ? std::to_string(key_padding->rows()) + " x " + std::to_string(key_padding->cols()) : "");
}

template <class T>
const Matrix<T>& AttentionModel::forward(const Vector<T>& parameters, const Values<T>& X,
                                         const BoolMatrix* key_padding, AttentionModelTrace<T>& trace,
                                         const Execution& run) const {
  const engine::Call call(run);
  check(parameters, X, key_padding);
  require(X.rows() > 0, "X", "of one sequence or more", "0 rows");
  const Index n_tokens = options_.n_tokens, batch = X.rows() / n_tokens;
  trace.who = {.batch = batch, .key_padding = padding_of(key_padding, length())};
  trace.X = X;
  for (Index i = 0; i < X.rows() && key_padding; ++i)
    if (!key_padding->data()[i]) trace.X.row(i).setZero();  // there may be anything, and NaN times 0 is NaN

  embedding_.forward<T>(parameters, trace.X, trace.embedded, run);
  const Index in_front = length() - n_tokens;
  trace.tokens.resize(batch * length(), trace.embedded.cols());
  for (Index s = 0; s < batch; ++s) {
    if (in_front) trace.tokens.row(s * length()) = matrix_at(cls_token_, parameters);
    auto tokens = trace.tokens.middleRows(s * length() + in_front, n_tokens);
    tokens = trace.embedded.middleRows(s * n_tokens, n_tokens);
    if (options_.positions) tokens += matrix_at(positions_, parameters);
  }

  trace.blocks.resize(blocks_.size());
  const Matrix<T>* tokens = &trace.tokens;
  for (std::size_t i = 0; i < blocks_.size(); ++i)
    tokens = &blocks_[i].forward<T>(parameters, *tokens, trace.who, trace.blocks[i], run);
  pool<T>(options_.pooling, norm_.forward<T>(parameters, *tokens, trace.norm, run), batch,
          padding_in(trace.who), trace.pooled);
  head_.forward<T>(parameters, trace.pooled, trace.output, run);
  return trace.output;
}

template <class T>
void AttentionModel::backward(const Vector<T>& parameters, AttentionModelTrace<T>& trace,
                              const Values<T>& grad_output, Vector<T>& gradient, Matrix<T>* grad_X,
                              const Execution& run) const {
  const engine::Call call(run);
  require(gradient.size() == layout_.size(), "gradient",
          "of the parameters' length, " + std::to_string(layout_.size()), gradient.size());
  const Index n_tokens = options_.n_tokens, batch = trace.who.batch;
  head_.backward<T>(parameters, trace.pooled, grad_output, gradient, &trace.grad_pooled, run);
  pool_backward<T>(options_.pooling, trace.grad_pooled, length(), padding_in(trace.who), trace.grad_tokens);
  const Matrix<T>* grad_tokens = &norm_.backward<T>(parameters, trace.norm, trace.grad_tokens, gradient, run);
  for (std::size_t i = blocks_.size(); i-- > 0;)
    grad_tokens =
        &blocks_[i].backward<T>(parameters, trace.blocks[i], *grad_tokens, trace.who, gradient, run);

  const Index in_front = length() - n_tokens;
  Matrix<T>& grad_embedded = trace.embedded;  // whose numbers no one needs any more
  for (Index s = 0; s < batch; ++s) {
    if (in_front) matrix_at(cls_token_, gradient) += grad_tokens->row(s * length());
    const auto of_sequence = grad_tokens->middleRows(s * length() + in_front, n_tokens);
    if (options_.positions) matrix_at(positions_, gradient) += of_sequence;
    grad_embedded.middleRows(s * n_tokens, n_tokens) = of_sequence;
  }
  embedding_.backward<T>(parameters, trace.X, grad_embedded, gradient, grad_X, run);
}

template <class T, class See>
void AttentionModel::pass_over(const Vector<T>& parameters, const Values<T>& X, const BoolMatrix* key_padding,
                               const Execution& run, const See& see) const {
  check(parameters, X, key_padding);
  const Index n_tokens = options_.n_tokens, n = X.rows() / n_tokens,
              at_once = std::max<Index>(1, 4096 / length());
  AttentionModelTrace<T> trace;
  BoolMatrix padding;
  for (Index begin = 0; begin < n; begin += at_once) {
    const Index size = std::min(at_once, n - begin);
    if (key_padding) padding = key_padding->middleRows(begin, size);
    forward<T>(parameters, X.middleRows(begin * n_tokens, size * n_tokens), key_padding ? &padding : nullptr,
               trace, run);
    see(begin, size, trace);
  }
}

template <class T>
Matrix<T> AttentionModel::predict(const Vector<T>& parameters, const Values<T>& X,
                                  const BoolMatrix* key_padding, const Execution& run) const {
  const engine::Call call(run);
  const Index height = rows_of_sequence();
  Matrix<T> outputs(X.rows() / options_.n_tokens * height, options_.n_outputs);
  pass_over(parameters, X, key_padding, run,
            [&](Index begin, Index size, const AttentionModelTrace<T>& trace) {
              outputs.middleRows(begin * height, size * height) = trace.output;
            });
  require(outputs.allFinite(), "parameters", "such that the outputs of finite tokens are finite",
          "NaN or infinity");
  return outputs;
}

template <class T>
Matrix<T> AttentionModel::layer_input(const Vector<T>& parameters, const Values<T>& X, Index layer,
                                      const BoolMatrix* key_padding, const Execution& run) const {
  const engine::Call call(run);
  require(layer >= 0 && layer < std::ssize(blocks_), "layer",
          "in [0, " + std::to_string(std::ssize(blocks_) - 1) + "]", layer);
  Matrix<T> tokens(X.rows() / options_.n_tokens * length(), options_.block.attention.embed_dim);
  pass_over(parameters, X, key_padding, run,
            [&](Index begin, Index size, const AttentionModelTrace<T>& trace) {
              tokens.middleRows(begin * length(), size * length()) =
                  trace.blocks[static_cast<std::size_t>(layer)].attention.x;
            });
  return tokens;
}

template <class T>
Matrix<T> AttentionModel::weights(const Vector<T>& parameters, const Values<T>& X,
                                  const BoolMatrix* key_padding, const Execution& run) const {
  const engine::Call call(run);
  const Index n = X.rows() / options_.n_tokens, heads = options_.block.attention.num_heads,
              of_sequence = std::ssize(blocks_) * heads;
  run.require_memory(static_cast<double>(n * of_sequence * length() * length()) * sizeof(T),
                     "weights of " + std::to_string(n) + " sequences", "ask for fewer sequences");
  Matrix<T> weights(n * of_sequence * length(), length());
  pass_over(
      parameters, X, key_padding, run, [&](Index begin, Index size, const AttentionModelTrace<T>& trace) {
        engine::parallel_tasks(size * of_sequence, run, "attending", [&](Index i, const Execution& inside) {
          const Index layer = i % of_sequence / heads;
          weights.middleRows((begin * of_sequence + i) * length(), length()) =
              blocks_[static_cast<std::size_t>(layer)].attention().weights<T>(
                  parameters, trace.blocks[static_cast<std::size_t>(layer)].attention, trace.who,
                  i / of_sequence, i % heads, inside);
        });
      });
  return weights;
}

#define LIKEWISE_INSTANTIATE(T)                                                                            \
  template Vector<T> AttentionModel::initial_parameters(std::uint64_t) const;                              \
  template const Matrix<T>& AttentionModel::forward(const Vector<T>&, const Values<T>&, const BoolMatrix*, \
                                                    AttentionModelTrace<T>&, const Execution&) const;      \
  template void AttentionModel::backward(const Vector<T>&, AttentionModelTrace<T>&, const Values<T>&,      \
                                         Vector<T>&, Matrix<T>*, const Execution&) const;                  \
  template Matrix<T> AttentionModel::predict(const Vector<T>&, const Values<T>&, const BoolMatrix*,        \
                                             const Execution&) const;                                      \
  template Matrix<T> AttentionModel::layer_input(const Vector<T>&, const Values<T>&, Index,                \
                                                 const BoolMatrix*, const Execution&) const;               \
  template Matrix<T> AttentionModel::weights(const Vector<T>&, const Values<T>&, const BoolMatrix*,        \
                                             const Execution&) const;
LIKEWISE_INSTANTIATE(float)
LIKEWISE_INSTANTIATE(double)
#undef LIKEWISE_INSTANTIATE

}  // namespace likewise::nn
