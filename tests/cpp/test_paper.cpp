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

}  // namespace

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
