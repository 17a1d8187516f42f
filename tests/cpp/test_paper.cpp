// The paper's bare modules against reference values that another implementation computed in float64.
#include <cctype>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include <likewise/likewise.hpp>

#include "catch.hpp"

namespace likewise {
namespace {

/// A JSON value as far as the file has them: numbers (true and false as 1 and 0), text, lists and objects.
struct Json {
  double number = 0;
  std::string text;
  std::vector<Json> list;
  std::map<std::string, Json> object;

  const Json& operator[](const std::string& name) const { return object.at(name); }
  Matrix<double> matrix() const {
    Matrix<double> found(static_cast<Index>(list.size()), static_cast<Index>(list.front().list.size()));
    for (Index i = 0; i < found.rows(); ++i)
      for (Index j = 0; j < found.cols(); ++j) found(i, j) = list[at(i)].list[at(j)].number;
    return found;
  }
  Vector<double> vector() const {
    Vector<double> found(static_cast<Index>(list.size()));
    for (Index i = 0; i < found.size(); ++i) found(i) = list[at(i)].number;
    return found;
  }
  static std::size_t at(Index i) { return static_cast<std::size_t>(i); }
};

class JsonReader {
 public:
  explicit JsonReader(std::istream& in) : in_(in) {}

  Json value() {
    Json found;
    switch (next()) {
      case '{':
        for (in_.get(); next() != '}';) {
          const std::string name = quoted();
          skip(':');
          found.object[name] = value();
          if (next() == ',') in_.get();
        }
        in_.get();
        break;
      case '[':
        for (in_.get(); next() != ']';) {
          found.list.push_back(value());
          if (next() == ',') in_.get();
        }
        in_.get();
        break;
      case '"':
        found.text = quoted();
        break;
      case 't':
      case 'f':
        found.number = next() == 't';
        while (std::isalpha(in_.peek())) in_.get();
        break;
      default:
        in_ >> found.number;
    }
    return found;
  }

 private:
  int next() { return (in_ >> std::ws).peek(); }
  void skip(char wanted) {
    REQUIRE(next() == wanted);
    in_.get();
  }
  std::string quoted() {
    skip('"');
    std::string text;
    for (char c = 0; in_.get(c) && c != '"';) {
      if (c == '\\') in_.get(c);
      text += c;
    }
    return text;
  }

  std::istream& in_;
};

Json reference() {
  std::ifstream file(LIKEWISE_TEST_DATA "/paper_reference.json");
  REQUIRE(file.is_open());
  return JsonReader(file).value();
}

/// What an arm compares points by, and which gradient of ours is which of the file's.
struct Arm {
  Metric metric;
  std::map<std::string, std::string> names;
};

Arm arm_of(const std::string& name, const Json& p) {
  if (name == "self")
    return {Mapped{maps::Linear{p["Q"].matrix()}, maps::Linear{p["K"].matrix()}, DotProduct{}},
            {{"query_map.W", "Q"}, {"key_map.W", "K"}}};
  if (name == "l2") return {Mapped{maps::Linear{p["W"].matrix()}}, {{"W", "W"}}};
  Mapped metric{maps::ResidualMLP{
      .W1 = p["W1"].matrix(), .b1 = p["b1"].vector(), .W2 = p["W2"].matrix(), .b2 = p["b2"].vector()}};
  if (name == "dotphi") metric.metric = DotProduct{};
  return {metric, {{"W1", "W1"}, {"b1", "b1"}, {"W2", "W2"}, {"b2", "b2"}}};
}

bool close(const Matrix<double>& a, const Matrix<double>& b) {
  return a.rows() == b.rows() && a.cols() == b.cols() && (a - b).cwiseAbs().maxCoeff() < 1e-10;
}

/// The file's parameters of a network under our names: of module i Q and K are one matrix.
std::map<std::string, Matrix<double>> network_parameters(const std::string& arm, const Json& given) {
  const auto row = [&](const std::string& name) { return Matrix<double>(given[name].vector().transpose()); };
  std::map<std::string, Matrix<double>> found = {{"input.weight", given["Wi"].matrix()},
                                                 {"input.bias", row("bi")},
                                                 {"output.weight", given["Wo"].matrix()},
                                                 {"output.bias", row("bo")}};
  for (const std::string i : {"0", "1"}) {
    const std::string layer = "layers." + i + ".";
    if (arm == "self") {
      const Matrix<double> Q = given["Q" + i].matrix(), K = given["K" + i].matrix();
      Matrix<double>& both = found[layer + "in_proj_weight"];
      both.resize(Q.rows() + K.rows(), Q.cols());
      both << Q, K;
    } else if (arm == "l2") {
      found[layer + "metric_proj.weight"] = given["W" + i].matrix();
    } else {
      found[layer + "map_in.weight"] = given["V" + i].matrix();
      found[layer + "map_in.bias"] = row("c" + i);
      found[layer + "map_out.weight"] = given["U" + i].matrix();
      found[layer + "map_out.bias"] = row("e" + i);
    }
  }
  return found;
}

}  // namespace

TEST_CASE("the paper's propagation networks: logits, loss, gradients, and five steps of Adam", "[paper]") {
  const Json all = reference();
  const Matrix<double> X = all["X"].matrix();
  std::vector<Index> y;
  for (const Json& label : all["y"].list) y.push_back(static_cast<Index>(label.number));
  for (const std::string arm : {"self", "l2", "metric", "dotphi"}) {
    INFO(arm);
    const Json& given = all["ipn"][arm];
    const nn::PropagationNetwork network(
        {.n_features = 3,
         .n_outputs = 3,
         .n_layers = 2,
         .module = nn::bare_module(4, arm == "l2" || arm == "metric" ? nn::Score::sqdist : nn::Score::dot,
                                   arm == "metric" || arm == "dotphi" ? 5 : 0)});
    Vector<double> parameters = Vector<double>::Zero(network.layout().size()), gradient = parameters;
    const auto numbers = network_parameters(arm, given["params"]);
    REQUIRE(numbers.size() == network.layout().entries().size());
    for (const auto& [name, number] : numbers) nn::matrix_at(network.layout().at(name), parameters) = number;

    nn::PropagationNetworkTrace<double> trace;
    const Matrix<double> logits = network.forward<double>(parameters, X, {}, trace);
    CHECK(close(logits, given["logits"].matrix()));
    const nn::Loss<double> loss = nn::cross_entropy(logits, y);
    CHECK(std::abs(loss.value - given["loss"].number) < 1e-10);
    network.backward<double>(parameters, trace, loss.gradient, gradient);
    for (const auto& [name, wanted] : network_parameters(arm, given["grads"])) {
      INFO(name);
      CHECK(close(nn::matrix_at(network.layout().at(name), gradient), wanted));
    }

    nn::PropagationData<double> data{.samples = {.X = X, .labels = y}};
    nn::OptimizerState<double> state;
    for (const Json& after : given["loss_after_adam_steps"].list) {
      nn::train<double>(network, parameters, data,
                        {.optimizer = nn::Adam{.weight_decay = 1e-4}, .learning_rate = 1e-2, .max_epochs = 1},
                        {}, &state);
      CHECK(std::abs(nn::cross_entropy(network.forward<double>(parameters, X, {}, trace), y).value
                     - after.number)
            < 1e-10);
    }
  }
}

TEST_CASE("the four modules of the paper, masked too: weights, outputs and all gradients", "[paper]") {
  const Json all = reference();
  const Matrix<double> H = all["H"].matrix(), G = all["G"].matrix();
  const BoolMatrix mask = all["mask"].matrix().array() > 0.5;
  for (const std::string name : {"self", "l2", "metric", "dotphi"})
    for (const bool masked : {false, true}) {
      INFO(name << (masked ? ", masked" : ""));
      const Json& given = all["module"][name];
      const std::string suffix = masked ? "_masked" : "";
      const Arm arm = arm_of(name, given["params"]);
      const Mechanism mechanism{.metric = arm.metric,
                                .kernel = Exponential{1.0},
                                .support = masked ? Support(Mask{mask}) : Support(AllPairs{})};
      const auto P = mechanism.self_operator(H);
      CHECK(close(P.dense(), given["S" + suffix].matrix()));
      CHECK(close(P.apply(H), given["out" + suffix].matrix()));
      const OperatorGradient<double> found = vjp<double>(P, G, H);
      CHECK(close(found.points + found.values, given["grad_H" + suffix].matrix()));
      for (const auto& [ours, theirs] : arm.names) {
        const Json& want = given["grad_params" + suffix][theirs];
        const Matrix<double> wanted =
            want.list.front().list.empty() ? Matrix<double>(want.vector().transpose()) : want.matrix();
        CHECK(close(found.metric.at(ours), wanted));
      }
      if (name == "metric" && !masked)
        CHECK(close(metric_attention(H, std::get<Mapped>(arm.metric).map, H), given["out"].matrix()));
    }
}

}  // namespace likewise
