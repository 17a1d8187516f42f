// Blocks and models: gradients against finite differences, padding that is not read, one answer for any number
// of threads.
#include <likewise/nn/attention_model.hpp>

#include <thread>

#include "catch.hpp"
#include "slopes.hpp"
#include "testing.hpp"

using namespace likewise;
using namespace likewise::nn;

namespace {

double dot(const Matrix<double>& a, const Matrix<double>& b) { return (a.array() * b.array()).sum(); }

AttentionModelOptions small(Pooling pooling, const AttentionLayerOptions& attention, double mlp_ratio) {
  return {.n_tokens = 3,
          .n_features = 2,
          .n_outputs = 2,
          .n_layers = 2,
          .block = {.attention = attention, .mlp_ratio = mlp_ratio},
          .pooling = pooling,
          .position_std = 0.3};
}

BoolMatrix some_padding() {
  BoolMatrix padding = BoolMatrix::Constant(4, 3, true);
  padding(1, 2) = padding(2, 0) = padding(2, 1) = false;
  return padding;
}

/// Initial numbers moved away from 0 and 1, where a wrong gradient may hide.
Vector<double> moved(const AttentionModel& model) {
  return model.initial_parameters<double>(3) + 0.1 * normal_matrix(model.layout().size(), 1, 4);
}

}  // namespace

TEST_CASE("encoder block: gradients are slopes, and the output is the formula", "[nn]") {
  for (const double mlp_ratio : {0.0, 1.5}) {
    ParameterLayout layout;
    const EncoderBlock block({.attention = self_attention(4, 2), .mlp_ratio = mlp_ratio}, layout, "b.");
    CHECK(layout.at("b.norm1.weight").rows == 4);
    CHECK(layout.at("b.attention.in_proj_weight").rows == 12);
    if (mlp_ratio > 0) CHECK(layout.at("b.mlp.fc1.weight").rows == 6);
    Vector<double> parameters(layout.size());
    block.initialize(parameters, 1);
    const Matrix<double> x = normal_matrix(6, 4, 2), g = normal_matrix(6, 4, 3);
    const Attending who{.batch = 2};
    const auto loss = [&](const Vector<double>& p, const Matrix<double>& at) {
      EncoderBlockTrace<double> t;
      return dot(block.forward<double>(p, at, who, t), g);
    };
    EncoderBlockTrace<double> trace;
    const Matrix<double> y = block.forward<double>(parameters, x, who, trace);
    const Matrix<double> middle =
        x + block.attention().forward<double>(parameters, trace.norm1.y, nullptr, who, trace.attention, {});
    CHECK(y.isApprox(mlp_ratio > 0 ? Matrix<double>(middle + trace.mlp.y) : middle, 1e-14));
    Vector<double> gradient = Vector<double>::Zero(layout.size());
    const Matrix<double> grad_x = block.backward<double>(parameters, trace, g, who, gradient);
    check_gradient(layout, gradient,
                   slopes<Vector<double>>([&](const auto& p) { return loss(p, x); }, parameters));
    CHECK(relative_error(grad_x,
                         slopes<Matrix<double>>([&](const auto& at) { return loss(parameters, at); }, x))
          < 1e-6);
  }
}

TEST_CASE("model: gradients are slopes, with and without padding, for all poolings and scores", "[nn]") {
  const BoolMatrix padding = some_padding();
  for (const Pooling pooling : {Pooling::mean, Pooling::cls, Pooling::none})
    for (const auto& attention : {self_attention(4, 2), l2_attention(4, 1), metric_attention(4, 1)})
      for (const BoolMatrix* key_padding : {static_cast<const BoolMatrix*>(nullptr), &padding}) {
        const AttentionModel model(small(pooling, attention, key_padding ? 0 : 2));
        const Vector<double> parameters = moved(model);
        const Matrix<double> X = normal_matrix(12, 2, 5),
                             g = normal_matrix(4 * model.rows_of_sequence(), 2, 6);
        const auto loss = [&](const Vector<double>& p, const Matrix<double>& at) {
          AttentionModelTrace<double> t;
          return dot(model.forward<double>(p, at, key_padding, t), g);
        };
        AttentionModelTrace<double> trace;
        Vector<double> gradient = Vector<double>::Zero(parameters.size());
        Matrix<double> grad_X;
        model.forward<double>(parameters, X, key_padding, trace);
        model.backward<double>(parameters, trace, g, gradient, &grad_X);
        check_gradient(model.layout(), gradient,
                       slopes<Vector<double>>([&](const auto& p) { return loss(p, X); }, parameters));
        CHECK(relative_error(grad_X,
                             slopes<Matrix<double>>([&](const auto& at) { return loss(parameters, at); }, X))
              < 1e-6);
      }
}

TEST_CASE("model: padding is not read, not even NaN", "[nn]") {
  const BoolMatrix padding = some_padding();
  for (const Pooling pooling : {Pooling::mean, Pooling::cls}) {
    const AttentionModel model(small(pooling, self_attention(4, 2), 2));
    const Vector<double> parameters = moved(model);
    Matrix<double> X = normal_matrix(12, 2, 5);
    const Matrix<double> before = model.predict<double>(parameters, X, &padding);
    X.row(5).setConstant(std::numeric_limits<double>::quiet_NaN());
    X.row(6).setConstant(7);
    CHECK(model.predict<double>(parameters, X, &padding) == before);
    X.row(0) *= 2;
    CHECK(model.predict<double>(parameters, X, &padding).row(0) != before.row(0));
  }
}

TEST_CASE("model: without pooling each token has an output, of whose mean the pooled one is made", "[nn]") {
  const AttentionModel each(small(Pooling::none, self_attention(4, 2), 2)),
      mean(small(Pooling::mean, self_attention(4, 2), 2));
  CHECK(each.layout() == mean.layout());
  CHECK(each.rows_of_sequence() == 3);
  CHECK(mean.rows_of_sequence() == 1);
  const Vector<double> parameters = moved(each);
  const BoolMatrix padding = some_padding();
  Matrix<double> X = normal_matrix(12, 2, 5);
  const Matrix<double> outputs = each.predict<double>(parameters, X, &padding),
                       pooled = mean.predict<double>(parameters, X, &padding);
  REQUIRE(outputs.rows() == 12);
  CHECK(pooled.row(0).isApprox(outputs.topRows(3).colwise().mean(), 1e-12));  // a head is linear
  CHECK(pooled.row(1).isApprox(outputs.middleRows(3, 2).colwise().mean(), 1e-12));
  CHECK(pooled.row(2).isApprox(outputs.row(8), 1e-12));
  const Vector<double> bias = parameters.segment(each.layout().at("head.bias").offset, 2);
  for (const Index row : {5, 6, 7}) CHECK(outputs.row(row) == bias.transpose());
  X.row(5).setConstant(std::numeric_limits<double>::quiet_NaN());
  CHECK(each.predict<double>(parameters, X, &padding) == outputs);
  // More sequences than are read at once.
  const Matrix<double> many = normal_matrix(3 * 2000, 2, 7);
  CHECK(each.predict<double>(parameters, many).bottomRows(3)
        == each.predict<double>(parameters, many.bottomRows(3)));
  AttentionModelTrace<double> trace;
  each.forward<double>(parameters, X, &padding, trace);
  Vector<double> gradient = Vector<double>::Zero(parameters.size());
  CHECK(contains(refusal([&] { each.backward<double>(parameters, trace, normal_matrix(4, 2, 6), gradient); }),
                 "must be"));
}

TEST_CASE("model: order counts with positions, and not without", "[nn]") {
  AttentionModelOptions options = small(Pooling::mean, self_attention(4, 2), 2);
  const Matrix<double> X = normal_matrix(3, 2, 5), reversed = X.colwise().reverse();
  const AttentionModel ordered(options);
  options.positions = false;
  const AttentionModel unordered(options);
  CHECK(unordered.layout().size() == ordered.layout().size() - 12);
  const Vector<double> p = moved(ordered), q = moved(unordered);
  CHECK(!ordered.predict<double>(p, X).isApprox(ordered.predict<double>(p, reversed), 1e-6));
  CHECK(unordered.predict<double>(q, X).isApprox(unordered.predict<double>(q, reversed), 1e-13));
}

TEST_CASE("model: the same on any number of threads, in parts, and with a trace used before", "[nn]") {
  AttentionModelOptions options = small(Pooling::cls, metric_attention(16, 4), 4);
  options.n_tokens = 7;
  const AttentionModel model(options);
  const Vector<float> parameters = model.initial_parameters<float>(1);
  const Matrix<float> X = normal_matrix(7 * 700, 2, 2).cast<float>();
  const Matrix<float> g = normal_matrix(700, 2, 3).cast<float>();
  AttentionModelTrace<float> trace, other;
  Vector<float> one = Vector<float>::Zero(parameters.size()), many = one;
  const Matrix<float> y = model.forward<float>(parameters, X, nullptr, trace, {.n_jobs = 1});
  model.backward<float>(parameters, trace, g, one, nullptr, {.n_jobs = 1});
  model.forward<float>(parameters, X.topRows(7 * 3), nullptr, other);
  CHECK(model.forward<float>(parameters, X, nullptr, other, {.n_jobs = 5}) == y);
  model.backward<float>(parameters, other, g, many, nullptr, {.n_jobs = 5});
  CHECK(one == many);
  CHECK(model.predict<float>(parameters, X).isApprox(y, 1e-5f));
  const Matrix<double> precise = model.predict<double>(parameters.cast<double>(), X.cast<double>());
  CHECK((precise - y.cast<double>()).norm() < 1e-5 * precise.norm());
}

TEST_CASE("model: seeds and what is refused", "[nn]") {
  const AttentionModel model(small(Pooling::mean, self_attention(4, 2), 2));
  CHECK(model.initial_parameters<double>(1) == model.initial_parameters<double>(1));
  CHECK(model.initial_parameters<double>(1) != model.initial_parameters<double>(2));
  CHECK(model.layout().at("positions").rows == 3);
  CHECK(model.layout().at("blocks.1.mlp.fc2.weight").cols == 8);
  CHECK(model.layout().at("head.weight").rows == 2);
  const auto made = [](auto change) {
    AttentionModelOptions o = small(Pooling::mean, self_attention(4, 2), 2);
    change(o);
    return refusal([&] { AttentionModel{o}; });
  };
  CHECK(contains(made([](auto& o) { o.n_tokens = 0; }), "n_tokens must be"));
  CHECK(contains(made([](auto& o) { o.n_layers = -1; }), "n_layers must be"));
  CHECK(contains(made([](auto& o) { o.block.mlp_ratio = -1; }), "mlp_ratio must be"));
  CHECK(contains(made([](auto& o) { o.block.attention.embed_dim = 0; }), "embed_dim must be"));
  CHECK(contains(made([](auto& o) { o.block.attention.num_heads = 3; }), "num_heads must be"));
  const Vector<double> p = model.initial_parameters<double>(1);
  const auto call = [&](Index rows, Index cols, Index size) {
    return refusal([&] { model.predict<double>(p.head(size), normal_matrix(rows, cols, 1)); });
  };
  CHECK(contains(call(4, 2, p.size()), "X must be"));
  CHECK(contains(call(3, 3, p.size()), "X must be"));
  CHECK(contains(call(3, 2, 5), "parameters must be"));
  const BoolMatrix padding = BoolMatrix::Constant(2, 3, true);
  CHECK(contains(refusal([&] { model.predict<double>(p, normal_matrix(3, 2, 1), &padding); }),
                 "key_padding must be"));
  CHECK(model.predict<double>(p, Matrix<double>(0, 2)).rows() == 0);
}

TEST_CASE("model: threads that read one model hear what one hears", "[nn]") {
  const AttentionModel model(small(Pooling::cls, metric_attention(4, 2), 2));
  const Vector<double> parameters = moved(model);
  const auto rows = [](int thread) {
    return normal_matrix(3 * (4 + thread), 2, static_cast<unsigned>(thread));
  };
  constexpr int n_threads = 8;
  std::vector<Matrix<double>> want, got(3 * n_threads);
  const auto read = [&](int thread, std::vector<Matrix<double>>& into, std::size_t at) {
    into[at] = model.predict<double>(parameters, rows(thread));
    into[at + 1] = model.layer_input<double>(parameters, rows(thread), 1);
    into[at + 2] = model.weights<double>(parameters, rows(thread));
  };
  want.resize(3 * n_threads);
  for (int t = 0; t < n_threads; ++t) read(t, want, static_cast<std::size_t>(3 * t));
  std::vector<std::thread> threads;
  for (int t = 0; t < n_threads; ++t)
    threads.emplace_back([&, t] { read(t, got, static_cast<std::size_t>(3 * t)); });
  for (std::thread& thread : threads) thread.join();
  CHECK(got == want);
}

TEST_CASE("model: weights and inputs of a block are those of a forward pass", "[nn]") {
  const AttentionModel model(small(Pooling::mean, self_attention(4, 2), 0));
  const Vector<double> parameters = moved(model);
  const Matrix<double> X = normal_matrix(12, 2, 1);
  const BoolMatrix padding = some_padding();
  AttentionModelTrace<double> trace;
  model.forward<double>(parameters, X, &padding, trace);
  CHECK(model.layer_input<double>(parameters, X, 1, &padding) == trace.blocks[1].attention.x);
  const Matrix<double> weights = model.weights<double>(parameters, X, &padding);
  REQUIRE(weights.rows() == 4 * 2 * 2 * 3);
  for (Index s = 0; s < 4; ++s)
    for (Index layer = 0; layer < 2; ++layer)
      for (Index head = 0; head < 2; ++head)
        CHECK(weights.middleRows(3 * ((s * 2 + layer) * 2 + head), 3)
              == model.blocks()[static_cast<std::size_t>(layer)].attention().weights<double>(
                  parameters, trace.blocks[static_cast<std::size_t>(layer)].attention, trace.who, s, head));
  CHECK(contains(refusal([&] { model.layer_input<double>(parameters, X, 2); }), "layer must be in [0, 1]"));
}
