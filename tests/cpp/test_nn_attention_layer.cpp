// The layer against plain loops, its gradients against finite differences, its heads against the mechanism.
#include <likewise/nn/attention_layer.hpp>

#include <cmath>
#include <functional>
#include <limits>

#include <likewise/algorithms/kernel_regression.hpp>

#include "catch.hpp"
#include "refusal.hpp"

using namespace likewise;
using namespace likewise::nn;

namespace {

struct Made {
  ParameterLayout layout;
  AttentionLayer layer;
  Vector<double> parameters;

  explicit Made(const AttentionLayerOptions& options) : layer(options, layout), parameters(layout.size()) {
    layer.initialize(parameters, 7);
    // Biases and diagonals start at special values: move everything.
    std::srand(3);
    parameters += 0.1 * Vector<double>::Random(parameters.size());
  }
};

std::vector<std::pair<std::string, AttentionLayerOptions>> arms() {
  const AttentionLayerOptions base{.embed_dim = 6, .num_heads = 2, .learn_temperature = true};
  std::vector<std::pair<std::string, AttentionLayerOptions>> all;
  const auto add = [&](const std::string& name, const std::function<void(AttentionLayerOptions&)>& change) {
    all.emplace_back(name, base);
    change(all.back().second);
  };
  add("dot untied", [](auto&) {});
  add("dot tied", [](auto& o) { o.tied = true; });
  add("squared distance untied", [](auto& o) { o.score = Score::sqdist; });
  add("squared distance tied", [](auto& o) { o.score = Score::sqdist, o.tied = true; });
  add("as many parameters as dot", [](auto& o) { o.score = Score::sqdist, o.tied = true, o.rank = 6; });
  add("low rank", [](auto& o) { o.rank = 1; });
  add("diagonal", [](auto& o) { o.score = Score::sqdist, o.tied = o.diagonal = true; });
  add("key bias", [](auto& o) { o.key_bias = true; });
  add("metric-attention", [](auto& o) { o = metric_attention(6, 2, 4); });
  add("one map for all heads", [](auto& o) {
    o.score = Score::sqdist, o.tied = o.share_map = true, o.map_width = 2, o.temperature = 0.7;
  });
  add("dot of mapped tokens", [](auto& o) { o.tied = true, o.map_width = 3, o.rank = 2; });
  add("graph attention", [](auto& o) { o.score = Score::additive, o.tied = true, o.rank = 2; });
  add("graph attention of one slope",
      [](auto& o) { o.score = Score::additive, o.tied = true, o.slope = 0.7, o.learn_temperature = false; });
  add("dynamic graph attention", [](auto& o) { o.score = Score::additive_dynamic; });
  add("no bias, fixed temperature", [](auto& o) { o.bias = o.learn_temperature = false; });
  return all;
}

BoolMatrix random_mask(Index rows, Index cols) { return Matrix<double>::Random(rows, cols).array() < 0.4; }

/// So many supports, each a mask of its own.
std::vector<Support> random_masks(Index count, Index n_queries, Index n_keys) {
  std::vector<Support> masks;
  for (Index i = 0; i < count; ++i) masks.emplace_back(Mask{random_mask(n_queries, n_keys)});
  return masks;
}

std::vector<std::pair<std::string, Attending>> ways(Index n_queries, Index n_keys) {
  std::vector<std::pair<std::string, Attending>> all{{"all", {.batch = 3}}};
  all.push_back({"mask", {.batch = 3, .supports = random_masks(1, n_queries, n_keys)}});
  all.push_back({"mask of each sequence", {.batch = 3, .supports = random_masks(3, n_queries, n_keys)}});
  all.push_back({"mask of each head", {.batch = 3, .supports = random_masks(6, n_queries, n_keys)}});
  all.push_back(
      {"window and mask", {.batch = 3, .supports = {Window{1, 2} & Mask{random_mask(n_queries, n_keys)}}}});
  BoolMatrix padding = random_mask(3, n_keys);
  padding.row(1).setConstant(false);  // a sequence of padding alone
  all.push_back({"padding", {.batch = 3, .key_padding = padding}});
  if (n_queries == n_keys) all.push_back({"causal", {.batch = 3, .supports = {Causal{}}}});
  return all;
}

/// Whether token i may attend to token j, by the words of each filter.
bool admits(const Attending& who, Index sequence, Index head, Index n_heads, Index i, Index j) {
  if (who.key_padding && !(**who.key_padding)(sequence, j)) return false;
  const std::size_t n = who.supports.size();
  if (n == 0) return true;
  const std::size_t s = static_cast<std::size_t>(sequence), h = static_cast<std::size_t>(head);
  const std::size_t own = n == 1 ? 0
                          : n == static_cast<std::size_t>(who.batch)
                              ? s
                              : s * static_cast<std::size_t>(n_heads) + h;
  for (const PairFilter& filter : who.supports[own].filters()) {
    if (std::holds_alternative<Causal>(filter) && j > i) return false;
    if (const auto* window = std::get_if<Window>(&filter);
        window && (j < i - window->before || j > i + window->after))
      return false;
    if (const auto* mask = std::get_if<Mask>(&filter); mask && !(*mask->admitted)(i, j)) return false;
  }
  return true;
}

double leaky(double s, double slope) { return s > 0 ? s : slope * s; }

/// The layer by its definition, a pair after the other.
Matrix<double> by_definition(const Made& made, const Matrix<double>& x, const Matrix<double>& context,
                             const Attending& who) {
  const AttentionLayerOptions& o = made.layer.options();
  const Index E = o.embed_dim, H = o.num_heads, r = made.layer.rank(), dim = E / H, n = x.rows() / who.batch,
              m = context.rows() / who.batch;
  const auto at = [&](const std::string& name) -> Matrix<double> {
    return matrix_at(made.layout.at(name), made.parameters);
  };
  Matrix<double> Wq, Wk, Wv, b = Matrix<double>::Zero(1, 2 * H * r + E), bo = Matrix<double>::Zero(1, E);
  if (o.tied) {
    if (o.diagonal) {
      Wq.setZero(H * E, E);
      for (Index h = 0; h < H; ++h)
        Wq.middleRows(h * E, E) = at("metric_diagonal").row(h).transpose().asDiagonal();
    } else {
      Wq = at("metric_proj.weight");
    }
    Wk = Wq;
    Wv = at("v_proj.weight");
    if (o.bias) b.rightCols(E) = at("v_proj.bias");
  } else {
    const Matrix<double> W = at("in_proj_weight");
    Wq = W.topRows(H * r);
    Wk = W.middleRows(H * r, H * r);
    Wv = W.bottomRows(E);
    if (o.bias) b = at("in_proj_bias");
  }
  if (o.bias) bo = at("out_proj.bias");
  Matrix<double> q = (x * Wq.transpose()).rowwise() + b.leftCols(H * r).row(0),
                 k = (context * Wk.transpose()).rowwise() + b.middleCols(H * r, H * r).row(0);
  const Matrix<double> v = (context * Wv.transpose()).rowwise() + b.rightCols(E).row(0);
  if (o.map_width)
    for (Matrix<double>* mapped : {&q, &k}) {
      const Index w = o.map_width;
      const Matrix<double> U = at("map_in.weight"), c = at("map_in.bias"), V = at("map_out.weight"),
                           d = at("map_out.bias");
      for (Index h = 0; h < H; ++h) {
        const Index own = o.share_map ? 0 : h;
        for (Index i = 0; i < mapped->rows(); ++i) {
          const Eigen::VectorXd u = mapped->row(i).segment(h * r, r).transpose();
          Eigen::VectorXd hidden = U.middleRows(own * w, w) * u + c.row(own).transpose();
          hidden = hidden.array().tanh();
          mapped->row(i).segment(h * r, r) +=
              (V.middleRows(own * r, r) * hidden + d.row(own).transpose()).transpose();
        }
      }
    }
  Matrix<double> y = Matrix<double>::Zero(x.rows(), E);
  const bool additive = o.score == Score::additive || o.score == Score::additive_dynamic;
  for (Index s = 0; s < who.batch; ++s)
    for (Index h = 0; h < H; ++h) {
      const double t = o.learn_temperature ? std::exp(at("log_temperature")(0, h))
                       : o.temperature > 0 ? o.temperature
                       : additive          ? 1
                                  : (o.score == Score::dot ? 1 : 2) * std::sqrt(static_cast<double>(r));
      for (Index i = 0; i < n; ++i) {
        double mass = 0;
        Eigen::RowVectorXd sum = Eigen::RowVectorXd::Zero(dim);
        for (Index j = 0; j < m; ++j) {
          if (!admits(who, s, h, H, i, j)) continue;
          const auto qi = q.row(s * n + i).segment(h * r, r), kj = k.row(s * m + j).segment(h * r, r);
          double score = o.score == Score::dot ? qi.dot(kj) / t : -(qi - kj).squaredNorm() / t;
          if (o.score == Score::additive)
            score = leaky(at("att_query").row(h).dot(qi) + at("att_key").row(h).dot(kj), o.slope) / t;
          if (o.score == Score::additive_dynamic) {
            score = 0;
            for (Index c = 0; c < r; ++c) score += at("att")(h, c) * leaky(qi(c) + kj(c), o.slope) / t;
          }
          if (o.key_bias) score -= kj.squaredNorm() / (2 * t);
          mass += std::exp(score);
          sum += std::exp(score) * v.row(s * m + j).segment(h * dim, dim);
        }
        if (mass > 0) y.row(s * n + i).segment(h * dim, dim) = sum / mass;
      }
    }
  return (y * at("out_proj.weight").transpose()).rowwise() + bo.row(0);
}

/// (f(+) - f(-)) / (2 step) for each number.
template <class Numbers> Numbers differences(Numbers& at, const std::function<double()>& loss) {
  constexpr double step = 1e-5;
  Numbers slopes(at);
  for (Index i = 0; i < at.size(); ++i) {
    const double kept = at.data()[i];
    at.data()[i] = kept + step;
    const double above = loss();
    at.data()[i] = kept - step;
    slopes.data()[i] = (above - loss()) / (2 * step);
    at.data()[i] = kept;
  }
  return slopes;
}

}  // namespace

TEST_CASE("an attention layer is its definition, and its gradients are finite differences", "[nn]") {
  for (const auto& [arm, options] : arms())
    for (const Index n_keys : {Index(5), Index(4)})
      for (const auto& way : ways(5, n_keys)) {
        const Attending& who = way.second;  // a structured binding cannot be captured by clang 14
        INFO(arm << ", " << way.first << ", " << n_keys << " keys");
        Made made(options);
        Matrix<double> x = Matrix<double>::Random(15, 6), context = Matrix<double>::Random(3 * n_keys, 6);
        const Matrix<double>* other = n_keys == 5 ? nullptr : &context;
        AttentionTrace<double> trace;
        const auto forward = [&] {
          return made.layer.forward<double>(made.parameters, x, other, who, trace);
        };
        REQUIRE((forward() - by_definition(made, x, other ? context : x, who)).norm() < 1e-12);

        const Matrix<double> weights = Matrix<double>::Random(15, 6);
        const auto loss = [&] { return forward().cwiseProduct(weights).sum(); };
        loss();
        Vector<double> gradient = Vector<double>::Zero(made.layout.size());
        const auto found = made.layer.backward<double>(made.parameters, trace, weights, who, gradient, {});
        CHECK((gradient - differences(made.parameters, loss)).norm() < 1e-7 * (1 + gradient.norm()));
        CHECK((found.x - differences(x, loss)).norm() < 1e-7 * (1 + found.x.norm()));
        if (other)
          CHECK((found.context - differences(context, loss)).norm() < 1e-7 * (1 + found.context.norm()));
      }
}

TEST_CASE("long sequences go through the operator, with the same result for any number of threads", "[nn]") {
  for (const auto& named : arms()) {
    const std::string& name = named.first;
    const AttentionLayerOptions& options = named.second;
    Made made(options);
    const Matrix<double> x = Matrix<double>::Random(2 * 150, 6), weights = Matrix<double>::Random(2 * 150, 6);
    const auto check = [&](const std::string& way, const Attending& who) {
      INFO(name << ", " << way);
      AttentionTrace<double> trace;
      const Matrix<double> y =
          made.layer.forward<double>(made.parameters, x, nullptr, who, trace, {.n_jobs = 1});
      CHECK((y - by_definition(made, x, x, who)).norm() < 1e-10 * y.norm());
      Vector<double> gradient = Vector<double>::Zero(made.layout.size()), again = gradient;
      const Matrix<double> by_x =
          made.layer.backward<double>(made.parameters, trace, weights, who, gradient, {.n_jobs = 1}).x;
      // One direction is enough: the formulas are those of vjp, which has its own tests.
      std::srand(11);
      const Vector<double> direction = Vector<double>::Random(gradient.size());
      const Matrix<double> shift = Matrix<double>::Random(x.rows(), x.cols());
      const auto along = [&](double step) {
        AttentionTrace<double> other;
        return made.layer
            .forward<double>(made.parameters + step * direction, x + step * shift, nullptr, who, other)
            .cwiseProduct(weights)
            .sum();
      };
      // A step of differences crosses the bend of some of the leaky ReLUs.
      const bool bends = options.score == Score::additive || options.score == Score::additive_dynamic;
      CHECK(gradient.dot(direction) + by_x.cwiseProduct(shift).sum()
            == Approx((along(1e-5) - along(-1e-5)) / 2e-5).epsilon(bends ? 1e-4 : 1e-6));
      CHECK(made.layer.forward<double>(made.parameters, x, nullptr, who, trace, {.n_jobs = 3}) == y);
      made.layer.backward<double>(made.parameters, trace, weights, who, again, {.n_jobs = 3});
      CHECK(again == gradient);
    };
    check("everybody", {.batch = 2});
    Attending some{.batch = 2, .supports = {Causal{}}};
    BoolMatrix padding = random_mask(2, 150);
    padding.col(0).setConstant(true);
    some.key_padding = padding;
    check("causal, padded", some);
    BoolMatrix mask = random_mask(150, 150);
    mask.row(7).setConstant(false);
    check("a mask that leaves one token nobody", {.batch = 2, .supports = {Mask{mask}}});
    check("a window", {.batch = 2, .supports = {Window{5, 9}}});
    padding.row(1).setConstant(false);
    check("a sequence of padding alone", {.batch = 2, .key_padding = padding});
  }
}

TEST_CASE("long tied heads in float32 agree with float64, wide ones too", "[nn]") {
  for (const Index width : {Index(6), Index(64)}) {
    ParameterLayout layout;
    const AttentionLayer layer(l2_attention(width, 1), layout);
    Vector<double> parameters = Vector<double>::Zero(layout.size());
    layer.initialize(parameters, 3);
    const Matrix<double> x = Matrix<double>::Random(200, width), weights = Matrix<double>::Random(200, width);
    AttentionTrace<double> trace;
    const Matrix<double> y = layer.forward<double>(parameters, x, nullptr, {}, trace);
    Vector<double> gradient = Vector<double>::Zero(layout.size());
    const Matrix<double> by_x = layer.backward<double>(parameters, trace, weights, {}, gradient, {}).x;

    const Vector<float> single = parameters.cast<float>();
    AttentionTrace<float> trace32;
    const Matrix<float> y32 =
        layer.forward<float>(single, Matrix<float>(x.cast<float>()), nullptr, {}, trace32);
    Vector<float> gradient32 = Vector<float>::Zero(layout.size());
    const Matrix<float> by_x32 =
        layer.backward<float>(single, trace32, Matrix<float>(weights.cast<float>()), {}, gradient32, {}).x;
    INFO(width << " columns");
    CHECK((y32.cast<double>() - y).norm() < 1e-5 * y.norm());
    CHECK((gradient32.cast<double>() - gradient).norm() < 1e-4 * gradient.norm());
    CHECK((by_x32.cast<double>() - by_x).norm() < 1e-4 * by_x.norm());
  }
}

TEST_CASE("dot products with the key bias are squared distances at twice the temperature", "[nn]") {
  AttentionLayerOptions dot{.embed_dim = 8, .num_heads = 2, .key_bias = true};
  Made a(dot), b([&] {
    AttentionLayerOptions sqdist = dot;
    sqdist.key_bias = false;
    sqdist.score = Score::sqdist;  // whose fixed temperature is twice the other's
    return sqdist;
  }());
  b.parameters = a.parameters;
  const Matrix<double> x = Matrix<double>::Random(10, 8);
  AttentionTrace<double> trace;
  CHECK(a.layer.forward<double>(a.parameters, x, nullptr, {}, trace)
        == b.layer.forward<double>(b.parameters, x, nullptr, {}, trace));
}

TEST_CASE("a head of metric-attention is kernel regression under its metric", "[nn]") {
  Made made(l2_attention(6, 1));
  const Matrix<double> x = Matrix<double>::Random(40, 6);
  AttentionTrace<double> trace;
  made.layer.forward<double>(made.parameters, x, nullptr, {}, trace);
  const double t = made.layer.temperature_of(made.parameters, 0);
  const auto fitted = kernel_regression(
      x, trace.values,
      {.metric = made.layer.metric_of(made.parameters, 0), .kernel = Gaussian{std::sqrt(t / 2)}});
  CHECK((fitted.predict(x).mean - trace.attended).norm() < 1e-12 * trace.attended.norm());
}

TEST_CASE("a head of dot attention is a bilinear score, and its queries' bias weighs the keys", "[nn]") {
  Made made(self_attention(6, 2));
  const Matrix<double> x = Matrix<double>::Random(20, 6);
  AttentionTrace<double> trace;
  made.layer.forward<double>(made.parameters, x, nullptr, {}, trace);
  for (const Index head : {0, 1}) {
    const Mechanism m = made.layer.mechanism_of(made.parameters, head);
    const auto P = m.cross_operator(
        x, x, {.log_key_weights = made.layer.log_key_weights<double>(made.parameters, head, x)});
    CHECK((P.dense() - made.layer.weights<double>(made.parameters, trace, {}, 0, head)).norm() < 1e-12);
  }
}

TEST_CASE("a layer refuses what does not fit, by name", "[nn]") {
  ParameterLayout layout;
  const auto made_of = [&](AttentionLayerOptions o) {
    return refusal([&] { AttentionLayer(o, layout, std::to_string(layout.size())); });
  };
  const auto says = [](const std::string& text, const std::string& part) {
    INFO(text);
    CHECK(text.find(part) != std::string::npos);
  };
  says(made_of({.embed_dim = 6, .num_heads = 4}), "num_heads must be a divisor of embed_dim = 6; got 4.");
  says(made_of({.embed_dim = 6, .diagonal = true}), "diagonal");
  says(made_of({.embed_dim = 6, .score = Score::sqdist, .key_bias = true}), "key_bias");
  says(made_of({.embed_dim = 6, .rank = -1}), "rank");
  Made made(self_attention(6, 2));
  AttentionTrace<double> trace;
  const auto forward = [&](Index rows, Index cols, const Attending& who) {
    return refusal([&] {
      made.layer.forward<double>(made.parameters, Matrix<double>::Random(rows, cols), nullptr, who, trace);
    });
  };
  says(forward(4, 5, {}), "x must be of embed_dim = 6 columns; got 5.");
  says(forward(5, 6, {.batch = 2}), "x must be batch = 2 sequences");
  says(forward(4, 6, {.supports = {Mask{BoolMatrix(4, 3)}}}), "Mask must be of the operator's shape 4 x 4");
  says(forward(4, 6, {.batch = 2, .supports = std::vector<Support>(3)}),
       "supports must be one, or one for each of 2 sequences");
  says(forward(4, 6, {.key_padding = BoolMatrix(2, 4)}), "key_padding_mask must be of shape (1, 4)");
  says(refusal([&] { made.layer.metric_of(made.parameters, 2); }), "head must be in [0, 1]; got 2.");
  says(refusal([&] { made.layout.at("nothing"); }), "in_proj_weight, in_proj_bias");
}

/// Kind: float32 sums of large terms that cancel, where a head is short and no operator looks at their size.
TEST_CASE("short heads in float32 hold float64's digits however far tokens are, gradients too", "[nn]") {
  for (const double apart : {1.0, 300.0, 1000.0})
    for (const bool tied : {true, false})
      for (const Score score : {Score::sqdist, Score::dot}) {
        INFO(apart << (tied ? ", tied" : ", untied") << (score == Score::dot ? ", dot" : ", distances"));
        ParameterLayout layout;
        const AttentionLayer layer({.embed_dim = 4, .score = score, .tied = tied, .learn_temperature = true},
                                   layout);
        Vector<double> parameters = Vector<double>::Zero(layout.size());
        for (const auto& [name, slot, stack] : layout.entries())
          if (slot.cols == 4)  // maps that leave tokens as they are
            for (Index i = 0; i < slot.rows; ++i) parameters(slot.offset + i * 4 + i % 4) = 1;
        std::srand(5);
        const Matrix<float> x32 = [&] {
          Matrix<double> x = Matrix<double>::Random(60, 4);
          x.col(0).tail(30).array() += apart;
          return Matrix<float>(x.cast<float>());
        }();
        const Matrix<float> weights32 = Matrix<float>::Random(60, 4);
        const Matrix<double> x = x32.cast<double>(), weights = weights32.cast<double>();
        AttentionTrace<double> trace;
        const Matrix<double> y = layer.forward<double>(parameters, x, nullptr, {}, trace);
        Vector<double> gradient = Vector<double>::Zero(layout.size());
        const Matrix<double> by_x = layer.backward<double>(parameters, trace, weights, {}, gradient, {}).x;

        const Vector<float> single = parameters.cast<float>();
        AttentionTrace<float> trace32;
        const Matrix<float> y32 = layer.forward<float>(single, x32, nullptr, {}, trace32);
        Vector<float> gradient32 = Vector<float>::Zero(layout.size());
        const Matrix<float> by_x32 = layer.backward<float>(single, trace32, weights32, {}, gradient32, {}).x;
        CHECK((y32.cast<double>() - y).norm() < 2e-6 * y.norm());
        CHECK((by_x32.cast<double>() - by_x).norm() < 2e-4 * by_x.norm());
        CHECK((gradient32.cast<double>() - gradient).norm() < 2e-4 * gradient.norm());
      }
}

/// Kind: a comparison or a minimum drops NaN, and what comes out looks healthy.
TEST_CASE("numbers that are not finite are refused in short sequences and in long ones", "[nn]") {
  for (const Index length : {Index(5), Index(140)})
    for (const auto& [arm, options] : arms()) {
      const Made made(options);
      const Matrix<double> x = Matrix<double>::Random(length, 6);
      for (const auto& [name, slot, stack] : made.layout.entries()) {
        INFO(arm << ", " << name << ", " << length << " tokens");
        Vector<double> broken = made.parameters;
        broken(slot.offset) = std::numeric_limits<double>::quiet_NaN();
        AttentionTrace<double> trace;
        bool told = true;
        try {
          told = !made.layer.forward<double>(broken, x, nullptr, {}, trace).allFinite();
        } catch (const InvalidArgument&) {
        }
        CHECK(told);
      }
    }
}

TEST_CASE("padding may hold NaN", "[nn]") {
  const Made made(l2_attention(6, 2));
  Matrix<double> x = Matrix<double>::Random(10, 6), zero = x;
  BoolMatrix padding = BoolMatrix::Constant(2, 5, true);
  padding(0, 4) = padding(1, 0) = false;
  for (const Index row : {4, 5}) {
    x.row(row).setConstant(std::numeric_limits<double>::quiet_NaN());
    zero.row(row).setZero();
  }
  const Attending who{.batch = 2, .key_padding = padding};
  AttentionTrace<double> trace;
  const Matrix<double> y = made.layer.forward<double>(made.parameters, x, nullptr, who, trace);
  CHECK((y - by_definition(made, zero, zero, who)).norm() < 1e-12);
}
