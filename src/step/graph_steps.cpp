#include <likewise/graph_steps.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include "engine/exp_weights.hpp"
#include "engine/parallel.hpp"
#include "engine/simd/edge_rows.hpp"
#include "engine/single_precision.hpp"

namespace likewise {
namespace {

namespace simd = engine::simd;
using simd::EdgeEnds;
using simd::EdgeNumbers;
using simd::HeadFeatures;
using simd::ScoreTerm;

constexpr Index rows_of_a_block = 64;

std::optional<FeatureSum> feature_sum_of(const Metric& metric) {
  return std::visit(
      []<class M>(const M& m) -> std::optional<FeatureSum> {
        if constexpr (FeatureSumMetric<M>) return m.feature_sum();
        return {};
      },
      metric);
}

const Graph* only_graph(const Support& support) {
  const bool alone =
      support.graphs().size() == 1 && support.filters().empty() && support.selector().index() == 0;
  return alone && support.graphs()[0].weights == "kernel" ? &support.graphs()[0] : nullptr;
}

bool is_softmax_on_a_graph(const Mechanism& head) {
  const auto* by_mass = std::get_if<RowStochastic>(&head.normalization);
  return only_graph(head.support) && temperature_of(head.kernel) && by_mass && by_mass->null_mass == 0
         && head.empty_row == EmptyRow::zero && feature_sum_of(head.metric);
}

bool same_edges(const Mechanism& a, const Mechanism& b) {
  return only_graph(b.support) && &*only_graph(a.support)->edges == &*only_graph(b.support)->edges;
}

/// The largest sum over a head's features of |x|^power (times |a|) among the rows of X.
template <class T>
double largest_sum(const Matrix<T>& X, Index head, Index rank, int power, const Vector<double>* a) {
  double largest = 0;
  for (Index i = 0; i < X.rows(); ++i) {
    double sum = 0;
    for (Index k = 0; k < rank; ++k) {
      const double x = std::abs(static_cast<double>(X(i, head * rank + k)));
      sum += power == 2 ? x * x : a ? std::abs((*a)(k)) * x : x;
    }
    largest = std::max(largest, sum);
  }
  return largest;
}

/// All heads on all edges. Rows of a block of queries, and of keys, are one task; sums over blocks are made in order, so that
/// results do not depend on threads.
template <class T> class HeadsOnEdges {
 public:
  HeadsOnEdges(const GraphInputs<T>& inputs, const SparseMatrix<double>& edges, const Execution& run)
      : in_(inputs),
        edges_(edges),
        compared_{std::ssize(inputs.heads), inputs.q.cols() / std::ssize(inputs.heads)},
        valued_{std::ssize(inputs.heads), inputs.v.cols() / std::ssize(inputs.heads)},
        run_(engine::sized(run, static_cast<double>(edges.nonZeros())
                                    * static_cast<double>(compared_.size() + valued_.size()))) {
    const FeatureSum sum = *feature_sum_of(in_.heads[0].metric);
    term_ = {.term = sum.term, .slope = static_cast<T>(sum.slope)};
    for (const Mechanism& head : in_.heads) {
      inverse_temperatures_.push_back(static_cast<T>(1 / *temperature_of(head.kernel)));
      if (const FeatureSum of_head = *feature_sum_of(head.metric); of_head.a)
        for (const double a : *of_head.a) a_.push_back(static_cast<T>(a));
    }
    if (!a_.empty()) term_.a = a_.data();
  }

  /// Whether T holds every exponent to enough digits, as those of an operator, and none overflows.
  bool exponents_fit() const {
    const double limit = std::is_same_v<T, float> ? engine::largest_single_exponent : 1e300;
    for (Index h = 0; h < compared_.heads; ++h) {
      const FeatureSum sum = *feature_sum_of(in_.heads[static_cast<std::size_t>(h)].metric);
      const int power = sum.term == FeatureTerm::leaky_relu ? 1 : 2;
      const double q = largest_sum(in_.q, h, compared_.rank, power, sum.a),
                   k = largest_sum(in_.k, h, compared_.rank, power, sum.a);
      const double terms = sum.term == FeatureTerm::product  ? std::sqrt(q) * std::sqrt(k)
                           : sum.term == FeatureTerm::square ? 2 * (q + k)
                                                             : std::max(1.0, std::abs(sum.slope)) * (q + k);
      if (!(terms / *temperature_of(in_.heads[static_cast<std::size_t>(h)].kernel) <= limit)) return false;
    }
    return true;
  }

  void step(Matrix<T>& y, Matrix<T>& weights) const {
    weights.resize(edges_.nonZeros(), compared_.heads);
    each_block(edges_.rows(), [&](Index begin, Index end) {
      weigh(begin, end, weights);
      y.middleRows(begin, end - begin).setZero();
      for (Index i = begin; i < end; ++i)
        simd::add_edge_slopes<T>(product, valued_, nullptr, keys_of(i, in_.v), in_order(i, weights),
                                 y.row(i).data());
    });
  }

  /// By scores, queries and the metric's parameter, from the queries' side.
  void vjp_queries(const Matrix<T>& weights, const Matrix<T>& y, const Matrix<T>& grad_y, Matrix<T>& by_score,
                   GraphGradient<T>& gradient) const {
    by_score.resize(weights.rows(), weights.cols());
    gradient.q.resize(in_.q.rows(), in_.q.cols());
    const Index blocks = engine::block_count(edges_.rows(), rows_of_a_block);
    Matrix<double> by_temperature = Matrix<double>::Zero(blocks, compared_.heads);
    Matrix<T> by_a = Matrix<T>::Zero(term_.a ? blocks : 0, compared_.size());
    each_block(edges_.rows(), [&](Index begin, Index end) {
      const Index block = begin / rows_of_a_block;
      gradient.q.middleRows(begin, end - begin).setZero();
      for (Index i = begin; i < end; ++i) {
        differentiate_weights(i, weights, y, grad_y, by_score);
        if (gradient.temperature_wanted) add_temperatures(i, by_score, by_temperature.row(block).data());
        scale(i, by_score);
        const EdgeEnds<T> keys = keys_of(i, in_.k);
        const EdgeNumbers<T> numbers = in_order(i, by_score);
        simd::add_edge_slopes<T>(term_, compared_, in_.q.row(i).data(), keys, numbers,
                                 gradient.q.row(i).data());
        if (term_.a)
          simd::add_edge_activations<T>(term_, compared_, in_.q.row(i).data(), keys, numbers,
                                        by_a.row(block).data());
      }
    });
    if (gradient.temperature_wanted) {
      const Vector<double> sums = by_temperature.colwise().sum();
      gradient.log_temperature.assign(sums.begin(), sums.end());
    }
    if (!term_.a) return;
    const Vector<double> sums = by_a.template cast<double>().colwise().sum();
    gradient.a = Eigen::Map<const Matrix<double>>(sums.data(), compared_.heads, compared_.rank);
  }

  /// By keys and values, from the keys' side: no two threads add to one row.
  void vjp_keys(const TurnedEdges& turned, const Matrix<T>& weights, const Matrix<T>& by_score,
                const Matrix<T>& grad_y, GraphGradient<T>& gradient) const {
    gradient.v.resize(in_.v.rows(), in_.v.cols());
    if (!in_.one_set) gradient.k.resize(in_.k.rows(), in_.k.cols());
    each_block(edges_.cols(), [&](Index begin, Index end) {
      gradient.v.middleRows(begin, end - begin).setZero();
      if (!in_.one_set) gradient.k.middleRows(begin, end - begin).setZero();
      for (Index j = begin; j < end; ++j) {
        const int first = turned.begin(j);
        const std::ptrdiff_t n = turned.begin(j + 1) - first;
        const auto asking = [&](const Matrix<T>& points) {
          return EdgeEnds<T>{turned.queries.data() + first, n, points.data(), points.cols()};
        };
        const int* const places = turned.places.data() + first;
        simd::add_edge_slopes<T>(product, valued_, nullptr, asking(grad_y), {weights.data(), places},
                                 gradient.v.row(j).data());
        simd::add_edge_slopes<T>(term_, compared_, in_.k.row(j).data(), asking(in_.q),
                                 {by_score.data(), places}, gradient.k.row(j).data());
      }
    });
  }

 private:
  static constexpr ScoreTerm<T> product{.term = FeatureTerm::product};

  template <class Work> void each_block(Index rows, const Work& work) const {
    engine::parallel_blocks(engine::block_count(rows, rows_of_a_block), run_, "attending", [&](Index b) {
      const engine::Block block = engine::block_of(b, rows, rows_of_a_block);
      work(block.begin, block.begin + block.size);
    });
  }

  /// A head's number for each edge: those of edge e. Past the last edge too.
  template <class Numbers> static auto* at(Numbers& numbers, Index e) {
    return numbers.data() + e * numbers.cols();
  }
  Index first_edge(Index i) const { return edges_.outerIndexPtr()[i]; }
  Index n_edges(Index i) const { return first_edge(i + 1) - first_edge(i); }
  EdgeEnds<T> keys_of(Index i, const Matrix<T>& points) const {
    return {edges_.innerIndexPtr() + first_edge(i), n_edges(i), points.data(), points.cols()};
  }
  EdgeNumbers<T> in_order(Index i, const Matrix<T>& numbers) const {
    return {at(numbers, first_edge(i)), nullptr};
  }

  /// P of a block of queries. The exponentials of all its edges are taken at once.
  void weigh(Index begin, Index end, Matrix<T>& weights) const {
    const Index heads = compared_.heads;
    thread_local std::vector<T> most, mass;
    for (Index i = begin; i < end; ++i) {
      T* const of_row = at(weights, first_edge(i));
      simd::edge_scores<T>(term_, compared_, in_.q.row(i).data(), keys_of(i, in_.k), of_row);
      most.assign(static_cast<std::size_t>(heads), std::numeric_limits<T>::lowest());
      for (Index e = 0; e < n_edges(i); ++e)
        for (Index h = 0; h < heads; ++h) {
          T& score = of_row[e * heads + h];
          score *= inverse_temperatures_[static_cast<std::size_t>(h)];
          most[static_cast<std::size_t>(h)] = std::max(most[static_cast<std::size_t>(h)], score);
        }
      for (Index e = 0; e < n_edges(i); ++e)
        for (Index h = 0; h < heads; ++h) of_row[e * heads + h] -= most[static_cast<std::size_t>(h)];
    }
    Eigen::Map<Eigen::Array<T, Eigen::Dynamic, 1>> all(at(weights, first_edge(begin)),
                                                       (first_edge(end) - first_edge(begin)) * heads);
    all = engine::exp_weights(all);
    for (Index i = begin; i < end; ++i) {
      T* const of_row = at(weights, first_edge(i));
      mass.assign(static_cast<std::size_t>(heads), T(0));
      for (Index e = 0; e < n_edges(i); ++e)
        for (Index h = 0; h < heads; ++h) mass[static_cast<std::size_t>(h)] += of_row[e * heads + h];
      for (T& m : mass) m = 1 / m;
      for (Index e = 0; e < n_edges(i); ++e)
        for (Index h = 0; h < heads; ++h) of_row[e * heads + h] *= mass[static_cast<std::size_t>(h)];
    }
  }

  /// dL/dscore_ij = p_ij (<g_i, v_j> - <g_i, y_i>) of row i.
  void differentiate_weights(Index i, const Matrix<T>& weights, const Matrix<T>& y, const Matrix<T>& grad_y,
                             Matrix<T>& by_score) const {
    const Index heads = compared_.heads, first = first_edge(i);
    T* const of_row = at(by_score, first);
    const T* const p = at(weights, first);
    simd::edge_scores<T>(product, valued_, grad_y.row(i).data(), keys_of(i, in_.v), of_row);
    thread_local std::vector<T> along;
    along.resize(static_cast<std::size_t>(heads));
    const int here = 0;
    simd::edge_scores<T>(product, valued_, grad_y.row(i).data(), {&here, 1, y.row(i).data(), y.cols()},
                         along.data());
    for (Index e = 0; e < n_edges(i); ++e)
      for (Index h = 0; h < heads; ++h) {
        T& slope = of_row[e * heads + h];
        slope = p[e * heads + h] * (slope - along[static_cast<std::size_t>(h)]);
      }
  }

  /// The score -c / t falls with log t at its own rate.
  void add_temperatures(Index i, const Matrix<T>& by_score, double* sums) const {
    const Index heads = compared_.heads;
    thread_local std::vector<T> scores;
    scores.resize(static_cast<std::size_t>(n_edges(i) * heads));
    simd::edge_scores<T>(term_, compared_, in_.q.row(i).data(), keys_of(i, in_.k), scores.data());
    const T* const slopes = at(by_score, first_edge(i));
    for (Index e = 0; e < n_edges(i); ++e)
      for (Index h = 0; h < heads; ++h) {
        const auto score = scores[static_cast<std::size_t>(e * heads + h)]
                           * inverse_temperatures_[static_cast<std::size_t>(h)];
        sums[h] -= static_cast<double>(slopes[e * heads + h]) * static_cast<double>(score);
      }
  }

  /// From slopes by -c / t to those by -c.
  void scale(Index i, Matrix<T>& by_score) const {
    auto rows = by_score.middleRows(first_edge(i), n_edges(i));
    for (Index e = 0; e < rows.rows(); ++e)
      for (Index h = 0; h < rows.cols(); ++h)
        rows(e, h) *= inverse_temperatures_[static_cast<std::size_t>(h)];
  }

  const GraphInputs<T>& in_;
  const SparseMatrix<double>& edges_;
  HeadFeatures compared_, valued_;
  Execution run_;
  ScoreTerm<T> term_;
  std::vector<T> inverse_temperatures_, a_;
};

TurnedEdges turned(const SparseMatrix<double>& edges) {
  const Index n = edges.nonZeros();
  TurnedEdges t{Eigen::VectorXi::Zero(edges.cols() + 1), Eigen::VectorXi(n), Eigen::VectorXi(n)};
  const int *const outer = edges.outerIndexPtr(), *const inner = edges.innerIndexPtr();
  for (Index e = 0; e < n; ++e) ++t.begin(inner[e] + 1);
  for (Index j = 0; j < edges.cols(); ++j) t.begin(j + 1) += t.begin(j);
  Eigen::VectorXi next = t.begin;
  for (int i = 0; i < edges.rows(); ++i)
    for (int e = outer[i]; e < outer[i + 1]; ++e) {
      const int place = next(inner[e])++;
      t.queries(place) = i;
      t.places(place) = e;
    }
  return t;
}

}  // namespace

template <class T>
bool graph_steps(const GraphInputs<T>& inputs, Matrix<T>& y, GraphTrace<T>& trace, const Execution& run) {
  const auto& heads = inputs.heads;
  if (heads.empty() || !is_softmax_on_a_graph(heads[0])) return false;
  for (const Mechanism& head : heads)
    if (!is_softmax_on_a_graph(head) || !same_edges(heads[0], head)) return false;
  const FeatureSum sum = *feature_sum_of(heads[0].metric);
  const Index rank = inputs.q.cols() / std::ssize(heads);
  if (inputs.k.cols() != inputs.q.cols() || (sum.a && sum.a->size() != rank)) return false;
  const Shared<SparseMatrix<double>>& edges = only_graph(heads[0].support)->edges;
  if (edges->rows() != inputs.q.rows() || edges->cols() != inputs.k.rows()) return false;
  const HeadsOnEdges<T> steps(inputs, *edges, run);
  if (!steps.exponents_fit()) return false;
  if (&*trace.edges != &*edges) {
    trace.edges = edges;
    trace.turned.reset();
  }
  y.resize(inputs.q.rows(), inputs.v.cols());
  steps.step(y, trace.weights);
  return true;
}

template <class T>
void graph_steps_vjp(const GraphInputs<T>& inputs, GraphTrace<T>& trace, const Matrix<T>& y,
                     const Matrix<T>& grad_y, GraphGradient<T>& gradient, const Execution& run) {
  if (!trace.turned) trace.turned = turned(*trace.edges);
  const HeadsOnEdges<T> steps(inputs, *trace.edges, run);
  steps.vjp_queries(trace.weights, y, grad_y, trace.by_score, gradient);
  steps.vjp_keys(*trace.turned, trace.weights, trace.by_score, grad_y, gradient);
}

#define LIKEWISE_INSTANTIATE(T)                                                                            \
  template bool graph_steps(const GraphInputs<T>&, Matrix<T>&, GraphTrace<T>&, const Execution&);          \
  template void graph_steps_vjp(const GraphInputs<T>&, GraphTrace<T>&, const Matrix<T>&, const Matrix<T>&, \
                                GraphGradient<T>&, const Execution&);
LIKEWISE_INSTANTIATE(float)
LIKEWISE_INSTANTIATE(double)
#undef LIKEWISE_INSTANTIATE

}  // namespace likewise
