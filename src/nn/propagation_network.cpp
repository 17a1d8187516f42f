#include <likewise/nn/propagation_network.hpp>

#include <algorithm>
#include <random>
#include <string>
#include <utility>

#include "engine/call.hpp"
#include "nn/samples.hpp"
#include "nn/trainer.hpp"

namespace likewise::nn {
namespace {

const PropagationNetworkOptions& checked(const PropagationNetworkOptions& o) {
  require(o.n_features >= 1, "n_features", "at least 1", o.n_features);
  require(o.n_outputs >= 1, "n_outputs", "at least 1", o.n_outputs);
  require(o.n_layers >= 0, "n_layers", "not negative", o.n_layers);
  require(o.module.embed_dim >= 1, "embed_dim", "at least 1", o.module.embed_dim);
  return o;
}

std::vector<AttentionLayer> layers_of(const PropagationNetworkOptions& o, ParameterLayout& layout) {
  std::vector<AttentionLayer> layers;
  for (Index i = 0; i < o.n_layers; ++i)
    layers.emplace_back(o.module, layout, "layers." + std::to_string(i) + ".");
  return layers;
}

bool is_everybody(const Support& support) { return support == Support(); }

}  // namespace

AttentionLayerOptions bare_module(Index embed_dim, Score score, Index map_width) {
  const bool own_maps = (score == Score::dot && map_width == 0) || score == Score::additive_dynamic;
  return {.embed_dim = embed_dim,
          .score = score,
          .tied = !own_maps,
          .bias = false,
          .map_width = map_width,
          .temperature = 1,
          .project = map_width == 0 && score != Score::given,
          .values = false};
}

PropagationNetwork::PropagationNetwork(const PropagationNetworkOptions& options)
    : options_(checked(options)),
      input_(options.n_features, options.module.embed_dim, layout_, "input."),
      layers_(layers_of(options, layout_)),
      output_(options.module.embed_dim, options.n_outputs, layout_, "output.") {}

template <class T> Vector<T> PropagationNetwork::initial_parameters(std::uint64_t seed) const {
  Vector<T> parameters = Vector<T>::Zero(layout_.size());
  std::mt19937_64 seeds(seed);
  input_.initialize(parameters, seeds());
  for (const AttentionLayer& layer : layers_) layer.initialize(parameters, seeds());
  output_.initialize(parameters, seeds());
  return parameters;
}

template <class T>
const Matrix<T>& PropagationNetwork::forward(const Vector<T>& parameters, const Values<T>& X,
                                             const Support& support, PropagationNetworkTrace<T>& trace,
                                             const Execution& run) const {
  const engine::Call call(run);
  require(parameters.size() == layout_.size(), "parameters",
          "the network's " + std::to_string(layout_.size()) + " numbers", parameters.size());
  require(X.rows() > 0, "X", "of one row or more", "0 rows");
  trace.X = X;
  trace.who = {.batch = 1, .supports = {support}};
  trace.layers.resize(layers_.size());
  input_.forward<T>(parameters, X, trace.hidden, run);
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    Matrix<T> next =
        layers_[i].forward<T>(parameters, trace.hidden, nullptr, trace.who, trace.layers[i], run);
    if (options_.residual) next += trace.hidden;
    trace.hidden = std::move(next);
  }
  output_.forward<T>(parameters, trace.hidden, trace.output, run);
  return trace.output;
}

template <class T>
void PropagationNetwork::backward(const Vector<T>& parameters, PropagationNetworkTrace<T>& trace,
                                  const Values<T>& grad_output, Vector<T>& gradient, Matrix<T>* grad_X,
                                  const Execution& run) const {
  const engine::Call call(run);
  require(gradient.size() == layout_.size(), "gradient",
          "of the parameters' length, " + std::to_string(layout_.size()), gradient.size());
  Matrix<T> by_hidden;
  output_.backward<T>(parameters, trace.hidden, grad_output, gradient, &by_hidden, run);
  for (std::size_t i = layers_.size(); i-- > 0;) {
    Matrix<T> before =
        layers_[i].backward<T>(parameters, trace.layers[i], by_hidden, trace.who, gradient, run).x;
    if (options_.residual) before += by_hidden;
    by_hidden = std::move(before);
  }
  input_.backward<T>(parameters, trace.X, by_hidden, gradient, grad_X, run);
}

namespace {

// --- training

template <class T> void check(const PropagationNetwork& network, const PropagationData<T>& data, Task task) {
  const PropagationNetworkOptions& o = network.options();
  const Samples<T>& samples = data.samples;
  const Index n = samples.X.rows();
  require(n > 0, "X", "of one row or more", "0 rows");
  require(samples.X.cols() == o.n_features, "X",
          "of n_features = " + std::to_string(o.n_features) + " columns", samples.X.cols());
  require(samples.X.allFinite(), "X", "finite", "infinity or NaN");
  require(!samples.key_padding, "key_padding", "none: a row is one data point", "a matrix");
  require(data.context == RowContext::all || is_everybody(data.support), "support",
          "everybody with RowContext::batch", repr(data.support));
  check_targets(samples, task, n, o.n_outputs, "rows", "");
  check_weights(data.validation_weights, n, "rows", "validation_weights");
}

template <class T> class RowLearner : public Learner<T> {
 public:
  RowLearner(const PropagationNetwork& network, const PropagationData<T>& data,
             const TrainingOptions& options)
      : network_(network), data_(data), task_(options.task), batch_size_(options.batch_size) {
    for (Index i = 0; i < data.validation_weights.size(); ++i)
      if (data.validation_weights(i) > 0) watched_.push_back(i);
  }

  Index count() const override { return data_.samples.X.rows(); }
  const Vector<double>& weights() const override { return data_.samples.weights; }

  double differentiate(const Vector<T>& parameters, std::span<const Index> rows, double batch_weight,
                       Vector<T>& gradient, const Execution& run) override {
    gradient.setZero();
    const double share = this->weight_of(rows) / batch_weight;
    const auto step = [&](const Samples<T>& samples, const Vector<double>& of_loss) {
      const Matrix<T>& outputs = network_.forward<T>(parameters, samples.X, data_.support, trace_, run);
      Loss<T> loss = loss_of(task_, outputs, samples, of_loss);
      loss.gradient *= static_cast<T>(share);
      network_.backward<T>(parameters, trace_, loss.gradient, gradient, nullptr, run);
      return share * loss.value;
    };
    if (data_.context == RowContext::batch) {
      gather(data_.samples, rows, 1, 1, batch_);
      return step(batch_, batch_.weights);
    }
    Vector<double> of_loss = Vector<double>::Zero(count());
    for (const Index& row : rows) of_loss(row) += this->weight_of({&row, 1});
    return step(data_.samples, of_loss);
  }

  std::optional<Evaluation> validate(const Vector<T>& parameters, const Execution& run) override {
    if (watched_.empty()) return {};
    if (data_.context == RowContext::all)
      return evaluation_of(task_,
                           network_.forward<T>(parameters, data_.samples.X, data_.support, trace_, run),
                           data_.samples, data_.validation_weights);
    Samples<T> watched;
    gather(data_.samples, std::span<const Index>(watched_), 1, 1, watched);
    return evaluation_of(task_, predict<T>(network_, parameters, watched.X, batch_size_, nullptr, {}, run),
                         watched, data_.validation_weights(watched_));
  }

 private:
  const PropagationNetwork& network_;
  const PropagationData<T>& data_;
  Task task_;
  Index batch_size_;
  std::vector<Index> watched_;
  Samples<T> batch_;  ///< memory is kept from step to step
  PropagationNetworkTrace<T> trace_;
};

}  // namespace

template <class T>
TrainingHistory train(const PropagationNetwork& network, Vector<T>& parameters,
                      const std::type_identity_t<PropagationData<T>>& data, const TrainingOptions& options,
                      const Execution& run, std::type_identity_t<OptimizerState<T>>* state) {
  const engine::Call call(run);
  check(network, data, options.task);
  require(parameters.size() == network.layout().size(), "parameters",
          "the network's " + std::to_string(network.layout().size()) + " numbers", parameters.size());
  RowLearner<T> learner(network, data, options);
  return train_learner<T>(learner, parameters, options, state, run);
}

template <class T>
Matrix<T> predict(const PropagationNetwork& network, const Vector<T>& parameters, const Values<T>& X,
                  Index batch_size, const std::type_identity_t<Values<T>>* context, const Support& support,
                  const Execution& run) {
  const engine::Call call(run);
  require(batch_size >= 1, "batch_size", "at least 1", batch_size);
  require(is_everybody(support) || batch_size >= X.rows(), "batch_size",
          "at least the number of rows with a support, " + std::to_string(X.rows()), batch_size);
  const Index n_features = network.options().n_features;
  require(X.cols() == n_features, "X", "of n_features = " + std::to_string(n_features) + " columns",
          X.cols());
  require(!context || context->cols() == n_features, "context",
          "of n_features = " + std::to_string(n_features) + " columns", context ? context->cols() : 0);
  const Index before = context ? context->rows() : 0;
  Matrix<T> outputs(X.rows(), network.options().n_outputs), rows;
  PropagationNetworkTrace<T> trace;
  for (Index begin = 0; begin < X.rows(); begin += batch_size) {
    const Index size = std::min(batch_size, X.rows() - begin);
    rows.resize(before + size, n_features);
    if (context) rows.topRows(before) = *context;
    rows.bottomRows(size) = X.middleRows(begin, size);
    outputs.middleRows(begin, size) =
        network.forward<T>(parameters, rows, support, trace, run).bottomRows(size);
  }
  require(outputs.allFinite(), "parameters", "such that the outputs of finite rows are finite",
          "NaN or infinity");
  return outputs;
}

#define LIKEWISE_INSTANTIATE(T)                                                                             \
  template Vector<T> PropagationNetwork::initial_parameters(std::uint64_t) const;                           \
  template const Matrix<T>& PropagationNetwork::forward(const Vector<T>&, const Values<T>&, const Support&, \
                                                        PropagationNetworkTrace<T>&, const Execution&)      \
      const;                                                                                                \
  template void PropagationNetwork::backward(const Vector<T>&, PropagationNetworkTrace<T>&,                 \
                                             const Values<T>&, Vector<T>&, Matrix<T>*, const Execution&)    \
      const;                                                                                                \
  template TrainingHistory train(const PropagationNetwork&, Vector<T>&, const PropagationData<T>&,          \
                                 const TrainingOptions&, const Execution&, OptimizerState<T>*);             \
  template Matrix<T> predict(const PropagationNetwork&, const Vector<T>&, const Values<T>&, Index,          \
                             const Values<T>*, const Support&, const Execution&);
LIKEWISE_INSTANTIATE(float)
LIKEWISE_INSTANTIATE(double)
#undef LIKEWISE_INSTANTIATE

}  // namespace likewise::nn
