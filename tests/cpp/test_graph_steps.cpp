// All heads on one graph at once are the heads one after the other, as operators.
#include <random>

#include <likewise/graph_steps.hpp>
#include <likewise/simd_target.hpp>
#include <likewise/step.hpp>

#include "catch.hpp"
#include "samples.hpp"
#include "testing.hpp"

using namespace likewise;

namespace {

/// n x m edges, about a third of them; every fifth row and every seventh column has none.
SparseMatrix<double> sparse_edges(Index n, Index m, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<Eigen::Triplet<double, int>> found;
  for (int i = 0; i < n; ++i)
    for (int j = 0; j < m; ++j)
      if (random() % 3 == 0 && i % 5 != 3 && j % 7 != 4) found.emplace_back(i, j, 1.0);
  SparseMatrix<double> edges(n, m);
  edges.setFromTriplets(found.begin(), found.end());
  return edges;
}

std::vector<Mechanism> heads_of(FeatureTerm term, Index count, Index rank, const Support& support) {
  std::vector<Mechanism> heads;
  for (Index h = 0; h < count; ++h) {
    const Vector<double> a = samples::normal(rank, 1, static_cast<unsigned>(70 + h));
    const Metric metric = term == FeatureTerm::product  ? Metric(DotProduct{})
                          : term == FeatureTerm::square ? Metric(SquaredEuclidean{})
                                                        : Metric(AdditiveDynamic{.a = a, .slope = 0.3});
    heads.push_back(
        {.metric = metric, .kernel = Exponential{0.7 + 0.4 * static_cast<double>(h)}, .support = support});
  }
  return heads;
}

/// What both ways give, in float64.
struct Found {
  Matrix<double> y, q, k, v, a;
  std::vector<double> log_temperature;
};

/// Points and a gradient of one case.
template <class T> struct Case {
  std::vector<Mechanism> heads;
  Matrix<T> q, k, v, g;
  bool one_set;

  Case(FeatureTerm term, Index count, Index rank, Index width, bool self)
      : heads(heads_of(term, count, rank, Graph{sparse_edges(23, self ? 23 : 17, 3)})),
        q(samples::normal(23, count * rank, 4).cast<T>()),
        k(self ? Matrix<T>() : Matrix<T>(samples::normal(17, count * rank, 5).cast<T>())),
        v(samples::normal(self ? 23 : 17, count * width, 6).cast<T>()),
        g(samples::normal(23, count * width, 7).cast<T>()),
        one_set(self) {}

  const Matrix<T>& keys() const { return one_set ? q : k; }
  GraphInputs<T> inputs() const { return {heads, q, keys(), v, one_set}; }

  Found at_once(const Execution& run = {}) const {
    GraphTrace<T> trace;
    Matrix<T> y, by_q, by_k, by_v;
    REQUIRE(graph_steps<T>(inputs(), y, trace, run));
    GraphGradient<T> sums{by_q, one_set ? by_q : by_k, by_v, true};
    graph_steps_vjp<T>(inputs(), trace, y, g, sums, run);
    return {y.template cast<double>(),
            by_q.template cast<double>(),
            by_k.template cast<double>(),
            by_v.template cast<double>(),
            sums.a,
            sums.log_temperature};
  }

  Found one_by_one() const {
    const Index count = std::ssize(heads), rank = q.cols() / count, width = v.cols() / count;
    Matrix<T> y(q.rows(), v.cols()), by_q(q.rows(), q.cols()), by_k(k.rows(), k.cols()),
        by_v(v.rows(), v.cols());
    Found found;
    const auto columns = [](const Matrix<T>& m, Index first, Index cols) {
      return StridedRows<T>(m.data() + first, m.rows(), cols, Eigen::OuterStride<>(m.cols()));
    };
    for (Index h = 0; h < count; ++h) {
      const StepInputs<T> in{columns(q, h * rank, rank), columns(keys(), h * rank, rank),
                             columns(v, h * width, width), nullptr, one_set};
      StepTrace<T> trace;
      const auto& head = heads[static_cast<std::size_t>(h)];
      step<T>(head, in, {y, 0, y.rows(), h * width, width}, trace, {});
      Matrix<T>& of_keys = one_set ? by_q : by_k;
      StepGradient<T> sums{{by_q, 0, by_q.rows(), h * rank, rank},
                           {of_keys, 0, of_keys.rows(), h * rank, rank},
                           {by_v, 0, by_v.rows(), h * width, width}};
      step_vjp<T>(head, in, trace, columns(y, h * width, width), columns(g, h * width, width), sums, {});
      found.log_temperature.push_back(sums.log_temperature);
      if (sums.metric.count("a")) {
        found.a.conservativeResize(h + 1, rank);
        found.a.row(h) = sums.metric["a"].reshaped(1, rank);
      }
    }
    found.y = y.template cast<double>();
    found.q = by_q.template cast<double>();
    found.k = by_k.template cast<double>();
    found.v = by_v.template cast<double>();
    return found;
  }
};

void check_near(const Matrix<double>& got, const Matrix<double>& want, double tolerance) {
  REQUIRE(got.rows() == want.rows());
  REQUIRE(got.cols() == want.cols());
  if (want.size())
    CHECK((got - want).cwiseAbs().maxCoeff() <= tolerance * std::max(1.0, want.cwiseAbs().maxCoeff()));
}

void check_same(const Found& got, const Found& want, double tolerance) {
  check_near(got.y, want.y, tolerance);
  check_near(got.q, want.q, tolerance);
  check_near(got.k, want.k, tolerance);
  check_near(got.v, want.v, tolerance);
  check_near(got.a, want.a, tolerance);
  const auto numbers = [](const std::vector<double>& x) {
    return Eigen::Map<const Matrix<double>>(x.data(), static_cast<Index>(x.size()), 1);
  };
  check_near(numbers(got.log_temperature), numbers(want.log_temperature), tolerance);
}

constexpr FeatureTerm terms[] = {FeatureTerm::product, FeatureTerm::square, FeatureTerm::leaky_relu};

}  // namespace

TEST_CASE("all heads on one graph at once are operators one after the other, gradients too",
          "[graph_steps]") {
  for (const FeatureTerm term : terms)
    for (const Index count : {1, 3, 4, 9})
      for (const Index rank : {1, 3, 8, 21})
        for (const bool self : {true, false}) {
          CAPTURE(static_cast<int>(term), count, rank, self);
          const Case<double> wide(term, count, rank, 10 - rank / 3, self);
          check_same(wide.at_once(), wide.one_by_one(), 1e-12);
          const Case<float> narrow(term, count, rank, 10 - rank / 3, self);
          check_same(narrow.at_once(), narrow.one_by_one(), 1e-4);
        }
}

TEST_CASE("heads on one graph are the same on every instruction set and with any number of threads",
          "[graph_steps]") {
  for (const FeatureTerm term : terms) {
    const Case<float> one(term, 5, 19, 7, true);
    const Found best = one.at_once({.n_jobs = 1});
    check_same(one.at_once({.n_jobs = 3}), best, 0);
    for (const std::string& target : simd_targets()) {
      CAPTURE(target);
      const OnTarget here(target);
      check_same(one.at_once(), best, 4e-5);
    }
  }
}

TEST_CASE("a graph with more rows than a block has the same bits with any number of threads",
          "[graph_steps]") {
  const SparseMatrix<double> edges = sparse_edges(400, 400, 8);
  const auto heads = heads_of(FeatureTerm::leaky_relu, 4, 3, Graph{edges});
  const Matrix<double> q = samples::normal(400, 12, 1), v = samples::normal(400, 8, 2),
                       g = samples::normal(400, 8, 3);
  const auto run = [&](int threads) {
    GraphTrace<double> trace;
    Matrix<double> y, by_q, by_v;
    const GraphInputs<double> in{heads, q, q, v, true};
    REQUIRE(graph_steps<double>(in, y, trace, {.n_jobs = threads}));
    GraphGradient<double> sums{by_q, by_q, by_v, true};
    graph_steps_vjp<double>(in, trace, y, g, sums, {.n_jobs = threads});
    return Found{y, by_q, {}, by_v, sums.a, sums.log_temperature};
  };
  check_same(run(3), run(1), 0);
}

TEST_CASE("what is no softmax of feature sums on one graph is left to operators", "[graph_steps]") {
  const Case<float> one(FeatureTerm::product, 2, 3, 2, true);
  const auto served = [&](const std::vector<Mechanism>& heads, float size = 1) {
    GraphTrace<float> trace;
    Matrix<float> y;
    const Matrix<float> q = size * one.q;
    return graph_steps<float>({heads, q, q, one.v, true}, y, trace, {});
  };
  CHECK(served(one.heads));
  CHECK_FALSE(served(one.heads, 1000));  // float32 would not hold the exponents
  const auto with = [&](const auto& change) {
    auto heads = one.heads;
    for (Mechanism& head : heads) change(head);
    return served(heads);
  };
  const SparseMatrix<double> edges = sparse_edges(23, 23, 3);
  CHECK_FALSE(with([](Mechanism& m) { m.support = AllPairs{}; }));
  CHECK_FALSE(with([&](Mechanism& m) { m.support = Support(Graph{edges}) & LeaveOneOut{}; }));
  CHECK_FALSE(with([&](Mechanism& m) { m.support = Graph{edges, "given"}; }));
  CHECK_FALSE(with([&](Mechanism& m) { m.support = Graph{edges}; }));  // as many graphs as heads
  CHECK_FALSE(with([](Mechanism& m) { m.kernel = Gaussian{0.5}; }));
  CHECK_FALSE(with([](Mechanism& m) { m.metric = Manhattan{}; }));
  CHECK_FALSE(with([](Mechanism& m) {
    m.metric = AdditiveDynamic{.a = Vector<double>(Vector<double>::Ones(3)), .activation = "tanh"};
  }));
  CHECK_FALSE(with([](Mechanism& m) { m.normalization = RowStochastic{0.1}; }));
  CHECK_FALSE(with([](Mechanism& m) { m.normalization = Symmetric{}; }));
  CHECK_FALSE(with([](Mechanism& m) { m.empty_row = EmptyRow::nearest; }));
}
