#include "nn/attention_head.hpp"

#include <cmath>
#include <limits>

#include <likewise/algorithms/attention.hpp>
#include <likewise/gradient.hpp>

#include "engine/exp_weights.hpp"
#include "engine/product.hpp"

namespace likewise::nn {
namespace {

constexpr double minus_infinity = -std::numeric_limits<double>::infinity();
constexpr Index most_tile_pairs =
    128 * 128;  // of a short sequence: its weights are a tile in the second cache

template <class T> bool is_short(const Head<T>& head) {
  return head.q.rows() * head.k.rows() <= most_tile_pairs;
}

using engine::add_product;
using engine::as_it_is;
using engine::transposed;

// --- short sequences: one tile ------------------------------------------------------------------------------------

/// A thread's, for all its heads: there are thousands of small ones a second.
template <class T> struct Scratch {
  Matrix<T> scores, slopes, by_weight, q, k;
  Vector<T> row_terms, column_terms;
};
template <class T> Scratch<T>& scratch() {
  thread_local Scratch<T> mine;
  return mine;
}

/// Scores -c/t into the scratch, with -inf where the pair is not admitted. Squared distances are taken from the keys' mean,
/// so that an offset of all costs no digits; q and k are left there.
template <class T> void fill_scores(const Head<T>& head, Scratch<T>& s) {
  const Index n = head.q.rows(), m = head.k.rows();
  const bool dot = head.score == Score::dot;
  const T inverse = static_cast<T>(1 / head.temperature);
  s.scores.setZero(n, m);
  s.q = head.q;
  s.k = head.k;
  if (!dot) {
    const auto center = s.k.colwise().mean().eval();
    s.q.rowwise() -= center;
    s.k.rowwise() -= center;
    s.scores.colwise() -= inverse * s.q.rowwise().squaredNorm();
    s.scores.rowwise() -= inverse * s.k.rowwise().squaredNorm().transpose();
  }
  add_product<T>((dot ? T(1) : T(2)) * inverse, as_it_is<T>(s.q), transposed<T>(s.k), s.scores);
  if (!dot) s.scores = s.scores.cwiseMin(T(0));  // rounding must not make a distance negative
  if (head.admitted.everybody()) return;
  for (Index i = 0; i < n; ++i)
    for (Index j = 0; j < m; ++j)
      if (!head.admitted(i, j, m)) s.scores(i, j) = -std::numeric_limits<T>::infinity();
}

/// The scratch's scores become weights relative to a reference of each row.
template <class T> void attend_tile(const Head<T>& head, StridedSums<T> y, HeadTrace<T>& trace) {
  Scratch<T>& s = scratch<T>();
  fill_scores(head, s);
  // A row that admits nobody keeps weights of 0 with any finite reference.
  s.row_terms = s.scores.rowwise().maxCoeff().cwiseMax(std::numeric_limits<T>::lowest());
  s.scores.colwise() -= s.row_terms;
  s.scores = engine::exp_weights(s.scores.array()).matrix();
  const Vector<T> mass = s.scores.rowwise().sum();
  y.setZero();
  add_product<T>(T(1), as_it_is<T>(s.scores), as_it_is<T>(head.v), y);
  y.array().colwise() *= (mass.array() > 0).select(mass.array().inverse(), T(0));
  trace.log_sums = s.row_terms.template cast<double>().array() + mass.template cast<double>().array().log();
}

template <class T>
void pull_back_tile(const Head<T>& head, const HeadTrace<T>& trace, const StridedRows<T>& y,
                    const StridedRows<T>& grad_y, HeadGradient<T>& gradient) {
  Scratch<T>& s = scratch<T>();
  fill_scores(head, s);
  const Index n = head.q.rows(), m = head.k.rows();
  StridedSums<T> by_q = gradient.q.view(), by_k = gradient.k.view(), by_v = gradient.v.view();
  for (StridedSums<T>* sums : {&by_q, &by_k, &by_v}) sums->setZero();
  const auto lost = trace.log_sums.array() == minus_infinity;
  s.row_terms = lost.select(0.0, trace.log_sums.array()).matrix().template cast<T>();
  s.slopes = s.scores.colwise() - s.row_terms;
  s.slopes = engine::exp_weights(s.slopes.array()).matrix();
  add_product<T>(T(1), transposed<T>(s.slopes), as_it_is<T>(grad_y), by_v);
  // dL/dscore_ij = p_ij (<g_i, v_j> - <g_i, y_i>)
  Matrix<T>& by_score = s.slopes;
  s.row_terms = grad_y.cwiseProduct(y).rowwise().sum();
  s.by_weight.setZero(n, m);
  add_product<T>(T(1), as_it_is<T>(grad_y), transposed<T>(head.v), s.by_weight);
  by_score.array() *= s.by_weight.array().colwise() - s.row_terms.array();
  for (Index i = 0; i < n; ++i)
    for (Index j = 0; j < m; ++j)
      if (by_score(i, j) != T(0))
        gradient.log_temperature -= static_cast<double>(by_score(i, j) * s.scores(i, j));
  // Of a squared distance: the sums of by_score over a row are 0, those of its columns are not.
  const T factor = static_cast<T>((head.score == Score::dot ? 1 : 2) / head.temperature);
  add_product<T>(factor, as_it_is<T>(by_score), as_it_is<T>(s.k), by_q);
  add_product<T>(factor, transposed<T>(by_score), as_it_is<T>(s.q), by_k);
  if (head.score == Score::dot) return;
  s.column_terms = by_score.colwise().sum().transpose();
  by_k -= factor * s.column_terms.asDiagonal() * s.k;
}

// --- long ones: the operator of the mechanism ----------------------------------------------------------------------

/// Tied maps of tokens that attend to one another: a self-operator, whose tiles serve both of their sides.
template <class T> bool is_one_set(const Head<T>& head) { return head.q.data() == head.k.data(); }

template <class T>
void pull_back_operator(const Head<T>& head, const HeadTrace<T>& trace, const StridedRows<T>& y,
                        const StridedRows<T>& grad_y, HeadGradient<T>& gradient, const Execution& run) {
  OperatorGradient<T> found = vjp<T>(*trace.weights, grad_y, head.v, Values<T>(y), run);
  if (is_one_set(head)) {
    gradient.q.take(std::move(found.points));
  } else {
    gradient.q.take(std::move(found.queries));
    gradient.k.take(std::move(found.keys));
  }
  gradient.v.take(std::move(found.values));
  gradient.log_temperature = *found.temperature * head.temperature;
}

}  // namespace

template <class T> PropagationOperator<T> operator_of(const Head<T>& head, const Execution& run) {
  const Index n = head.q.rows(), m = head.k.rows();
  AttentionOptions options{.temperature = head.temperature, .is_causal = head.admitted.is_causal};
  if (head.admitted.mask) options.mask = BoolMatrix(Eigen::Map<const BoolMatrix>(head.admitted.mask, n, m));
  Vector<double> log_weights;
  if (head.admitted.padding) {
    log_weights.resize(m);
    for (Index j = 0; j < m; ++j) log_weights(j) = head.admitted.padding[j] ? 0 : minus_infinity;
  }
  const auto mechanism_of = head.score == Score::dot ? attention_mechanism : metric_attention_mechanism;
  const Mechanism mechanism = mechanism_of(head.q.cols(), options);
  const OperatorOptions how{.log_key_weights = log_weights, .storage = "streamed"};
  if (is_one_set(head)) return mechanism.self_operator(Points<T>(head.k), how, run);
  return mechanism.cross_operator(Points<T>(head.q), Points<T>(head.k), how, run);
}

template <class T>
void attend(const Head<T>& head, const Part<T>& y, HeadTrace<T>& trace, const Execution& run) {
  if (is_short(head)) {
    trace.weights.reset();
    return attend_tile(head, y.view(), trace);
  }
  trace.weights = operator_of(head, run);
  y.take(trace.weights->apply(Points<T>(head.v), run));
}

template <class T>
void pull_back(const Head<T>& head, const HeadTrace<T>& trace, const StridedRows<T>& y,
               const StridedRows<T>& grad_y, HeadGradient<T>& gradient, const Execution& run) {
  if (is_short(head))
    pull_back_tile(head, trace, y, grad_y, gradient);
  else
    pull_back_operator(head, trace, y, grad_y, gradient, run);
}

#define LIKEWISE_INSTANTIATE(T)                                                                              \
  template PropagationOperator<T> operator_of(const Head<T>&, const Execution&);                             \
  template void attend(const Head<T>&, const Part<T>&, HeadTrace<T>&, const Execution&);                     \
  template void pull_back(const Head<T>&, const HeadTrace<T>&, const StridedRows<T>&, const StridedRows<T>&, \
                          HeadGradient<T>&, const Execution&);
LIKEWISE_INSTANTIATE(float)
LIKEWISE_INSTANTIATE(double)
#undef LIKEWISE_INSTANTIATE

}  // namespace likewise::nn
