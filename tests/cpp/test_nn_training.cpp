// Training: it learns, stops, goes on, fails and reports as it says.
#include <likewise/nn/training.hpp>

#include <likewise/nn/loss.hpp>

#include "catch.hpp"
#include "slopes.hpp"
#include "testing.hpp"

using namespace likewise;
using namespace likewise::nn;

namespace {

AttentionModel small(Index n_outputs) {
  return AttentionModel({.n_tokens = 2,
                         .n_features = 3,
                         .n_outputs = n_outputs,
                         .block = {.attention = self_attention(8, 2), .mlp_ratio = 2}});
}

/// Which of two tokens has the larger first feature: no token knows it alone.
Samples<double> comparisons(Index n, unsigned seed) {
  Samples<double> s{.X = normal_matrix(2 * n, 3, seed)};
  for (Index i = 0; i < n; ++i) s.labels.push_back(s.X(2 * i, 0) > s.X(2 * i + 1, 0));
  return s;
}

Samples<double> sums(Index n, unsigned seed) {
  Samples<double> s{.X = normal_matrix(2 * n, 3, seed), .targets = Matrix<double>(n, 1)};
  for (Index i = 0; i < n; ++i) s.targets(i, 0) = s.X(2 * i, 0) * s.X(2 * i + 1, 1);
  return s;
}

}  // namespace

TEST_CASE("training learns to compare tokens", "[nn]") {
  const AttentionModel model = small(2);
  Vector<double> parameters = model.initial_parameters<double>(1);
  const TrainingData<double> data{comparisons(600, 2), comparisons(200, 3)};
  const TrainingHistory history = train(model, parameters, data,
                                        {.optimizer = Adam{},
                                         .learning_rate = 0.01,
                                         .schedule = CosineRate{.warmup_steps = 10},
                                         .max_epochs = 20,
                                         .max_norm = 1});
  CHECK(history.epochs.size() == 20);
  CHECK(history.epochs.back().training_loss < 0.15);
  CHECK(history.epochs.back().validation_score > 0.95);
  CHECK(history.epochs.back().seconds > 0);
  CHECK(!history.stopped);
  const Evaluation seen = evaluate(model, parameters, *data.validation, Task::classification);
  CHECK(seen.loss == history.epochs.back().validation_loss);
  CHECK(seen.score == history.epochs.back().validation_score);
}

TEST_CASE("regression: R^2, weights and float32", "[nn]") {
  const AttentionModel model = small(1);
  Vector<float> parameters = model.initial_parameters<float>(1);
  const auto single = [](const Samples<double>& s) {
    return Samples<float>{.X = s.X.cast<float>(), .targets = s.targets.cast<float>()};
  };
  const TrainingData<float> data{single(sums(600, 2)), single(sums(200, 3))};
  const TrainingHistory history =
      train(model, parameters, data,
            {.task = Task::regression, .learning_rate = 0.01, .batch_size = 32, .max_epochs = 40});
  CHECK(history.epochs.back().validation_score > 0.8);
  const Matrix<float> predicted = model.predict<float>(parameters, data.validation->X);
  const Matrix<float>& y = data.validation->targets;
  const float spread = (y.array() - y.mean()).square().sum();
  CHECK(history.epochs.back().validation_score
        == Approx(1 - (predicted - y).squaredNorm() / spread).epsilon(1e-5));
  // A sample of weight 0 is not there.
  Samples<float> weighted = data.training;
  weighted.weights = Vector<double>::Ones(600);
  weighted.weights(7) = 0;
  weighted.targets(7, 0) = 1e6f;
  CHECK(evaluate(model, parameters, weighted, Task::regression).loss < 1);
}

TEST_CASE("a step of training is forward, loss, backward and the optimizer's step", "[nn]") {
  const AttentionModel model = small(2);
  const Vector<double> start = model.initial_parameters<double>(1);
  const TrainingData<double> data{comparisons(6, 2)};
  const std::vector<std::vector<Index>> batches = {{4, 0, 1}, {2, 5}, {3, 3}};
  Vector<double> got = start;
  const TrainingHistory history =
      train(model, got, data, {.learning_rate = 0.01, .batch_size = 3, .max_epochs = 2, .batches = batches});

  Vector<double> want = start;
  OptimizerState<double> state;
  std::vector<double> losses;
  for (const std::size_t b : {0, 1, 2, 0}) {  // from the beginning again when they end
    Matrix<double> X(static_cast<Index>(2 * batches[b].size()), 3);
    std::vector<Index> labels;
    for (const Index row : batches[b]) {
      X.middleRows(static_cast<Index>(2 * labels.size()), 2) = data.training.X.middleRows(2 * row, 2);
      labels.push_back(data.training.labels[static_cast<std::size_t>(row)]);
    }
    AttentionModelTrace<double> trace;
    const Loss<double> loss = cross_entropy<double>(model.forward<double>(want, X, nullptr, trace), labels);
    Vector<double> gradient = Vector<double>::Zero(want.size());
    model.backward<double>(want, trace, loss.gradient, gradient);
    take_step<double>(AdamW{}, 0.01, gradient, want, want, state);
    losses.push_back(loss.value);
  }
  CHECK(got.isApprox(want, 1e-12));
  CHECK(history.epochs[0].training_loss == Approx((3 * losses[0] + 2 * losses[1]) / 5).epsilon(1e-12));
}

TEST_CASE("one seed gives one result, on any number of threads; another seed another", "[nn]") {
  const AttentionModel model = small(2);
  const TrainingData<double> data{comparisons(50, 2)};
  const auto trained = [&](std::uint64_t seed, int n_jobs) {
    Vector<double> parameters = model.initial_parameters<double>(1);
    train(model, parameters, data, {.batch_size = 16, .max_epochs = 3, .seed = seed}, {.n_jobs = n_jobs});
    return parameters;
  };
  CHECK(trained(1, 1) == trained(1, 3));
  CHECK(trained(1, 1) != trained(2, 1));
}

TEST_CASE("a warm start goes on where the first call ended", "[nn]") {
  const AttentionModel model = small(2);
  const TrainingData<double> data{comparisons(50, 2)};
  Vector<double> at_once = model.initial_parameters<double>(1), in_parts = at_once;
  TrainingOptions options{.batch_size = 16, .max_epochs = 5};
  train(model, at_once, data, options);
  OptimizerState<double> state;
  options.max_epochs = 2;
  train(model, in_parts, data, options, {}, &state);
  options.max_epochs = 3;
  train(model, in_parts, data, options, {}, &state);
  CHECK(at_once == in_parts);
  CHECK(state.steps == 20);
  // Each epoch has its own order: plain descent remembers nothing else.
  options = {.optimizer = Sgd{}, .learning_rate = 0.1, .batch_size = 16, .max_epochs = 2};
  at_once = in_parts = model.initial_parameters<double>(1);
  train(model, at_once, data, options);
  options.max_epochs = 1;
  for (int call = 0; call < 2; ++call) train(model, in_parts, data, options);  // the first epoch twice
  CHECK(at_once != in_parts);
}

TEST_CASE("early stopping ends after patience and brings the best weights back", "[nn]") {
  const AttentionModel model = small(2);
  Vector<double> parameters = model.initial_parameters<double>(1);
  // Labels that mean nothing: the validation loss soon rises.
  Samples<double> noise = comparisons(40, 2);
  for (std::size_t i = 0; i < 40; ++i) noise.labels[i] = (i * i / 3) % 2;
  const TrainingData<double> data{noise, comparisons(100, 4)};
  const TrainingOptions options{.learning_rate = 0.02, .batch_size = 8, .max_epochs = 200, .patience = 5};
  const TrainingHistory history = train(model, parameters, data, options);
  REQUIRE(history.early_stopped);
  CHECK(!history.stopped);
  CHECK(history.epochs.size() == static_cast<std::size_t>(history.best_epoch) + 6);
  double lowest = 1e300;
  for (const EpochRecord& epoch : history.epochs) lowest = std::min(lowest, epoch.validation_loss);
  CHECK(history.epochs[static_cast<std::size_t>(history.best_epoch)].validation_loss == lowest);
  CHECK(evaluate(model, parameters, *data.validation, Task::classification).loss == lowest);
  // Nothing falls by 10: patience counts from the first epoch, the best is kept all the same.
  parameters = model.initial_parameters<double>(1);
  TrainingOptions strict = options;
  strict.min_delta = 10;
  CHECK(train(model, parameters, data, strict).epochs.size() == 6);
  // Also where the loss falls all the time, by less than that.
  const TrainingData<double> learnable{comparisons(200, 2), comparisons(100, 4)};
  TrainingOptions few = options;
  few.max_epochs = 12;
  parameters = model.initial_parameters<double>(1);
  CHECK(train(model, parameters, learnable, few).epochs.size() == 12);
  parameters = model.initial_parameters<double>(1);
  CHECK(train(model, parameters, learnable, strict).epochs.size() == 6);
}

TEST_CASE("a stop request keeps the best weights so far", "[nn]") {
  const AttentionModel model = small(2);
  const Vector<double> start = model.initial_parameters<double>(1);
  const TrainingData<double> data{comparisons(100, 2), comparisons(50, 3)};
  TrainingOptions options{.learning_rate = 0.01, .batch_size = 20, .max_epochs = 1000000};
  Vector<double> parameters = start;
  int asked = 0;
  const TrainingHistory history =
      train(model, parameters, data, options, {.n_jobs = 1, .stop_requested = [&] { return ++asked > 4; }});
  REQUIRE(history.stopped);
  REQUIRE(history.best_epoch >= 0);
  CHECK(parameters != start);
  CHECK(evaluate(model, parameters, *data.validation, Task::classification).loss
        == history.epochs[static_cast<std::size_t>(history.best_epoch)].validation_loss);
  // At once: nothing is lost, nothing was finished beyond an epoch.
  parameters = start;
  CHECK(train(model, parameters, data, options, {.stop_requested = [] { return true; }}).stopped);
  CHECK(parameters.allFinite());
}

TEST_CASE("a loss that is not finite names its step and leaves finite weights", "[nn]") {
  const AttentionModel model = small(1);
  Vector<double> parameters = model.initial_parameters<double>(1), start = parameters;
  Samples<double> samples = sums(8, 2);
  samples.targets(5, 0) = 1e200;  // its square is not finite
  const std::vector<std::vector<Index>> batches = {{0, 1}, {2, 3}, {4, 5}, {6, 7}};
  OptimizerState<double> state;
  TrainingOptions options{.task = Task::regression, .batch_size = 2, .max_epochs = 3, .batches = batches};
  std::string message;
  try {
    train<double>(model, parameters, {samples}, options, {}, &state);
  } catch (const NotConverged& error) {
    message = error.what();
  }
  CHECK(contains(message, "the loss is inf at step 3 (epoch 1"));
  CHECK(state.steps == 0);
  // The weights of step 2: one step done.
  Vector<double> want = start;
  options.max_epochs = 1;
  samples.X.conservativeResize(4, 3);
  samples.targets.conservativeResize(2, 1);
  options.batches = {{0, 1}};
  train<double>(model, want, {samples}, options);
  CHECK(parameters == want);
  // Weights that run away.
  Vector<float> wild = model.initial_parameters<float>(1);
  const Samples<double> good = sums(8, 2);
  const Samples<float> single{.X = good.X.cast<float>(), .targets = good.targets.cast<float>()};
  CHECK_THROWS_AS(train<float>(model, wild, {single},
                               {.task = Task::regression, .optimizer = Sgd{}, .learning_rate = 1e30}),
                  NotConverged);
  CHECK(wild.allFinite());
  CHECK(std::isfinite(evaluate(model, wild, single, Task::regression).loss));
}

TEST_CASE("training says how far it is, from 0 to 1", "[nn]") {
  const AttentionModel model = small(2);
  Vector<double> parameters = model.initial_parameters<double>(1);
  std::vector<double> said;
  train<double>(model, parameters, {comparisons(30, 2)}, {.max_epochs = 3},
                {.progress = [&](double done, const char* what) {
                  CHECK(std::string(what) == "training");
                  said.push_back(done);
                }});
  REQUIRE(!said.empty());
  CHECK(said.back() == 1);
  CHECK(std::is_sorted(said.begin(), said.end()));
}

TEST_CASE("what training refuses", "[nn]") {
  const AttentionModel model = small(2);
  const auto message = [&](auto change) {
    TrainingData<double> data{comparisons(6, 1), comparisons(4, 2)};
    TrainingOptions options;
    Vector<double> parameters = model.initial_parameters<double>(1);
    change(data, options, parameters);
    return refusal([&] { train(model, parameters, data, options); });
  };
  CHECK(contains(message([](auto& d, auto&, auto&) { d.training.X(0, 0) = NAN; }), "X must be finite"));
  CHECK(
      contains(message([](auto& d, auto&, auto&) { d.training.X.conservativeResize(11, 3); }), "X must be"));
  CHECK(contains(message([](auto& d, auto&, auto&) { d.training.labels[2] = 2; }), "labels must be"));
  CHECK(contains(message([](auto& d, auto&, auto&) { d.validation->labels.pop_back(); }),
                 "validation labels must be"));
  CHECK(contains(message([](auto& d, auto&, auto&) { d.training.weights = Vector<double>::Zero(6); }),
                 "weights must be"));
  CHECK(contains(message([](auto& d, auto&, auto&) { d.training.key_padding = BoolMatrix(1, 2); }),
                 "key_padding must be"));
  CHECK(contains(message([](auto&, auto& o, auto&) { o.task = Task::regression; }), "targets must be"));
  CHECK(contains(message([](auto&, auto& o, auto&) { o.learning_rate = 0; }), "learning_rate must be"));
  CHECK(contains(message([](auto&, auto& o, auto&) { o.batch_size = 0; }), "batch_size must be"));
  CHECK(contains(message([](auto&, auto& o, auto&) { o.max_epochs = -1; }), "max_epochs must be"));
  CHECK(contains(message([](auto&, auto& o, auto&) { o.patience = -1; }), "patience must be"));
  CHECK(contains(message([](auto&, auto& o, auto&) { o.max_norm = -1; }), "max_norm must be"));
  CHECK(contains(message([](auto&, auto& o, auto&) { o.optimizer = Adam{.beta1 = 2}; }), "beta1 must be"));
  CHECK(
      contains(message([](auto&, auto& o, auto&) { o.schedule = StepRate{.factor = 0}; }), "factor must be"));
  CHECK(contains(message([](auto&, auto& o, auto&) { o.batches = {{0, 6}}; }), "batches must be"));
  CHECK(contains(message([](auto&, auto&, auto& p) { p.conservativeResize(3); }), "parameters must be"));
}

namespace {

AttentionModel tagger(Index n_outputs) {
  return AttentionModel({.n_tokens = 3,
                         .n_features = 2,
                         .n_outputs = n_outputs,
                         .block = {.attention = self_attention(8, 2), .mlp_ratio = 2},
                         .pooling = Pooling::none});
}

/// Of each token whether its first feature is above the sequence's mean: no token knows it alone.
Samples<double> above(Index n, unsigned seed) {
  Samples<double> s{.X = normal_matrix(3 * n, 2, seed)};
  for (Index i = 0; i < 3 * n; ++i) s.labels.push_back(s.X(i, 0) > s.X.col(0).segment(i / 3 * 3, 3).mean());
  return s;
}

/// Two places of padding, with labels and targets that no token may have.
Samples<double> padded(bool classes) {
  Samples<double> s{.X = normal_matrix(12, 2, 5), .key_padding = BoolMatrix::Constant(4, 3, true)};
  (*s.key_padding)(1, 2) = (*s.key_padding)(3, 0) = false;
  s.weights = Vector<double>(4);
  s.weights << 1, 2, 0, 0.5;
  if (classes) {
    s.labels = {0, 1, 1, 0, 1, -1, 0, 0, 1, 7, 0, 1};
    return s;
  }
  s.targets = normal_matrix(12, 2, 6);
  s.targets(5, 0) = s.targets(9, 1) = std::numeric_limits<double>::quiet_NaN();
  return s;
}

/// The mean over tokens by hand: of each its sequence's weight, of padding nothing.
std::pair<double, double> loss_and_accuracy(const Samples<double>& s, const Matrix<double>& outputs) {
  double loss = 0, right = 0, sum = 0;
  for (Index i = 0; i < outputs.rows(); ++i) {
    const double weight = (*s.key_padding)(i / 3, i % 3) ? s.weights(i / 3) : 0;
    if (weight == 0) continue;
    sum += weight;
    if (s.labels.empty()) {
      loss += weight * (outputs.row(i) - s.targets.row(i)).squaredNorm() / 2;
      continue;
    }
    const Index label = s.labels[static_cast<std::size_t>(i)];
    loss += weight * (std::log(outputs.row(i).array().exp().sum()) - outputs(i, label));
    right += weight * (outputs(i, label) > outputs(i, 1 - label));
  }
  return {loss / sum, right / sum};
}

}  // namespace

TEST_CASE("a model of tokens learns something of each", "[nn]") {
  const AttentionModel model = tagger(2);
  Vector<double> parameters = model.initial_parameters<double>(1);
  const TrainingData<double> data{above(400, 2), above(100, 3)};
  const TrainingHistory history =
      train(model, parameters, data, {.optimizer = Adam{}, .learning_rate = 0.01, .max_epochs = 25});
  CHECK(history.epochs.back().validation_score > 0.9);
  CHECK(evaluate(model, parameters, *data.validation, Task::classification).score
        == history.epochs.back().validation_score);
}

TEST_CASE("the loss of tokens is a mean over those that are there", "[nn]") {
  const AttentionModel model = tagger(2);
  const Vector<double> start = model.initial_parameters<double>(4);
  for (const bool classes : {true, false}) {
    const Samples<double> s = padded(classes);
    const Task task = classes ? Task::classification : Task::regression;
    const auto by_hand = [&](const Vector<double>& p) {
      return loss_and_accuracy(s, model.predict<double>(p, s.X, &*s.key_padding));
    };
    const Evaluation seen = evaluate(model, start, s, task);
    CHECK(seen.loss == Approx(by_hand(start).first).epsilon(1e-12));
    if (classes) CHECK(seen.score == Approx(by_hand(start).second).epsilon(1e-12));
    if (!classes) CHECK(seen.score < 1);  // and not NaN
    // A step of plain descent, in one batch and in two parts of it, goes along the slopes of that loss.
    Vector<double> got = start;
    const TrainingHistory history = train<double>(
        model, got, {s, s},
        {.task = task, .optimizer = Sgd{.weight_decay = 0}, .learning_rate = 1e-2, .max_epochs = 1});
    CHECK(history.epochs[0].training_loss == Approx(seen.loss).epsilon(1e-12));
    const Vector<double> slope =
        slopes<Vector<double>>([&](const auto& p) { return by_hand(p).first; }, start);
    CHECK(relative_error(Vector<double>((start - got) / 1e-2), slope) < 1e-6);
  }
}

TEST_CASE("many tokens are taken in parts, with the same loss", "[nn]") {
  const AttentionModel model = tagger(2);
  Samples<double> s = above(200, 2);
  s.key_padding = BoolMatrix::Constant(200, 3, true);
  for (Index i = 0; i < 200; i += 3) (*s.key_padding)(i, i % 2) = false;
  s.weights = Vector<double>::Constant(200, 1.0);
  Vector<double> parameters = model.initial_parameters<double>(1);
  const double loss = loss_and_accuracy(s, model.predict<double>(parameters, s.X, &*s.key_padding)).first;
  const TrainingHistory history =
      train<double>(model, parameters, {s}, {.batch_size = 200, .max_epochs = 1}, {.n_jobs = 2});
  CHECK(history.epochs[0].training_loss == Approx(loss).epsilon(1e-12));
}

TEST_CASE("what a model of tokens refuses", "[nn]") {
  const AttentionModel model = tagger(2);
  const Vector<double> parameters = model.initial_parameters<double>(1);
  const auto message = [&](bool classes, auto change) {
    Samples<double> s = padded(classes);
    change(s);
    return refusal(
        [&] { evaluate(model, parameters, s, classes ? Task::classification : Task::regression); });
  };
  CHECK(contains(message(true, [](auto& s) { s.labels.resize(4); }),
                 "labels must be one class for each of 12 tokens; got 4"));
  CHECK(contains(message(true, [](auto& s) { s.labels[0] = -1; }), "labels must be in [0, 1]; got -1"));
  CHECK(contains(message(false, [](auto& s) { s.targets.conservativeResize(4, 2); }),
                 "targets must be of shape (12, 2); got 4 x 2"));
  CHECK(contains(message(false, [](auto& s) { s.targets(0, 0) = NAN; }), "targets must be finite"));
  CHECK(contains(message(true, [](auto& s) { s.weights = Vector<double>::Ones(12); }),
                 "weights must be one number for each of 4 sequences; got 12"));
  CHECK(contains(message(true, [](auto& s) { s.key_padding->setConstant(false); }), "key_padding must be"));
}

/// Kind: a row of weight 0 has a say: in the mean of a batch, in the order of rows, in how long an epoch is.
TEST_CASE("a row of weight 0 is no row, and a light batch moves little", "[nn]") {
  const AttentionModel model = small(1);
  const Vector<double> start = model.initial_parameters<double>(1);
  const Samples<double> some = sums(20, 2);
  Samples<double> all{.X = Matrix<double>(2 * 27, 3), .targets = Matrix<double>(27, 1)};
  all.X.setConstant(50);
  all.targets.setConstant(1e4);
  all.weights = Vector<double>::Zero(27);
  all.weights.segment(3, 20).setConstant(0.5);  // all weights that count are one
  all.X.middleRows(6, 40) = some.X;
  all.targets.middleRows(3, 20) = some.targets;
  const TrainingOptions options{.task = Task::regression, .batch_size = 8, .max_epochs = 5};
  Vector<double> got = start, want = start;
  const TrainingHistory with = train<double>(model, got, {all}, options),
                        without = train<double>(model, want, {some}, options);
  CHECK(got.isApprox(want, 1e-12));
  CHECK(with.epochs.back().training_loss == Approx(without.epochs.back().training_loss).epsilon(1e-12));

  // Steps of one row each: plain gradient descent moves by the row's weight over the mean weight.
  Samples<double> two = sums(2, 3);
  two.weights = Vector<double>(2);
  two.weights << 1e-6, 2 - 1e-6;
  Vector<double> light = start, heavy = start;
  const auto one_step = [&](Vector<double>& parameters, Index row) {
    train<double>(model, parameters, {two},
                  {.task = Task::regression,
                   .optimizer = Sgd{.weight_decay = 0},
                   .learning_rate = 1e-3,
                   .batch_size = 2,
                   .max_epochs = 1,
                   .batches = {{row}}});
  };
  one_step(light, 0);
  two.weights << 1, 1;
  one_step(heavy, 0);
  CHECK((light - start).isApprox(1e-6 * (heavy - start), 1e-6));
}

TEST_CASE("long sequences that run away are told as a loss is", "[nn]") {
  const AttentionModel model({.n_tokens = 140,
                              .n_features = 2,
                              .n_outputs = 1,
                              .block = {.attention = self_attention(4, 1), .mlp_ratio = 0}});
  Vector<float> parameters = model.initial_parameters<float>(1);
  const Samples<float> samples{.X = normal_matrix(280, 2, 1).cast<float>(),
                               .targets = normal_matrix(2, 1, 2).cast<float>()};
  CHECK_THROWS_AS(train<float>(model, parameters, {samples},
                               {.task = Task::regression, .optimizer = Sgd{}, .learning_rate = 1e30}),
                  NotConverged);
  CHECK(parameters.allFinite());
}
