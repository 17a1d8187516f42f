#include "nn/attention_head.hpp"

#include <cmath>
#include <limits>
#include <type_traits>
#include <vector>

#include <likewise/algorithms/attention.hpp>
#include <likewise/gradient.hpp>

#include "engine/exp_weights.hpp"
#include "engine/product.hpp"
#include "engine/single_precision.hpp"

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
  Vector<T> row_terms, column_terms, q_squares, k_squares;
};
template <class T> Scratch<T>& scratch() {
  thread_local Scratch<T> mine;
  return mine;
}

/// Keys that nobody attends to become the first that somebody does: whatever they hold is not read.
template <class T> void hide_unheard(const Head<T>& head, Matrix<T>& keys) {
  const Index n = head.q.rows(), m = keys.rows();
  std::vector<Index> unheard;
  Index heard = -1;
  for (Index j = m - 1; j >= 0; --j)
    if (head.admitted.heard(j, n, m))
      heard = j;
    else
      unheard.push_back(j);
  for (const Index j : unheard)
    if (heard >= 0) keys.row(j) = keys.row(heard);
}

/// Queries and keys into the scratch, with their squared lengths. Squared distances are taken from the keys' mean, so
/// that an offset of all costs no digits.
template <class T> void place(const Head<T>& head, Scratch<T>& s) {
  s.q = head.q;
  s.k = head.k;
  if (!head.admitted.everybody()) hide_unheard(head, s.k);
  if (head.score == Score::sqdist) {
    const auto center = s.k.colwise().mean().eval();
    s.q.rowwise() -= center;
    s.k.rowwise() -= center;
  }
  s.q_squares = s.q.rowwise().squaredNorm();
  s.k_squares = s.k.rowwise().squaredNorm();
}

/// Whether T holds the exponents of the placed queries and keys to enough digits, as those of an operator.
template <class T> bool holds_exponents(const Head<T>& head, const Scratch<T>& s) {
  const double q = std::sqrt(static_cast<double>(s.q_squares.maxCoeff())),
               k = std::sqrt(static_cast<double>(s.k_squares.maxCoeff()));
  const double terms = head.score == Score::dot ? q * k : (q + k) * (q + k);
  constexpr double least_temperature = 1e-30;  // whose inverse float32 holds
  return head.temperature > least_temperature && terms / head.temperature <= engine::largest_single_exponent;
}

/// Scores -c/t of the placed queries and keys, with -inf where the pair is not admitted.
template <class T> void fill_scores(const Head<T>& head, Scratch<T>& s) {
  const Index n = head.q.rows(), m = head.k.rows();
  const bool dot = head.score == Score::dot;
  const T inverse = static_cast<T>(1 / head.temperature);
  s.scores.setZero(n, m);
  if (!dot) {
    s.scores.colwise() -= inverse * s.q_squares;
    s.scores.rowwise() -= inverse * s.k_squares.transpose();
  }
  add_product<T>((dot ? T(1) : T(2)) * inverse, as_it_is<T>(s.q), transposed<T>(s.k), s.scores);
  if (!dot) s.scores = s.scores.cwiseMin(T(0));  // rounding must not make a distance negative
  if (head.admitted.everybody()) return;
  for (Index i = 0; i < n; ++i)
    for (Index j = 0; j < m; ++j)
      if (!head.admitted(i, j, m)) s.scores(i, j) = -std::numeric_limits<T>::infinity();
}

/// The scratch's scores become weights relative to a reference of each row. Returns log sum_j exp(score_ij).
template <class T> Vector<double> attend_tile(const Head<T>& head, Scratch<T>& s, StridedSums<T> y) {
  fill_scores(head, s);
  // A row that admits nobody keeps weights of 0 with any finite reference.
  s.row_terms = s.scores.rowwise().maxCoeff().cwiseMax(std::numeric_limits<T>::lowest());
  s.scores.colwise() -= s.row_terms;
  s.scores = engine::exp_weights(s.scores.array()).matrix();
  const Vector<T> mass = s.scores.rowwise().sum();
  y.setZero();
  add_product<T>(T(1), as_it_is<T>(s.scores), as_it_is<T>(head.v), y);
  y.array().colwise() *= (mass.array() > 0).select(mass.array().inverse(), T(0));
  return s.row_terms.template cast<double>().array() + mass.template cast<double>().array().log();
}

template <class T>
void pull_back_tile(const Head<T>& head, Scratch<T>& s, const Vector<double>& log_sums,
                    const StridedRows<T>& y, const StridedRows<T>& grad_y, HeadGradient<T>& gradient) {
  fill_scores(head, s);
  const Index n = head.q.rows(), m = head.k.rows();
  StridedSums<T> by_q = gradient.q.view(), by_k = gradient.k.view(), by_v = gradient.v.view();
  for (StridedSums<T>* sums : {&by_q, &by_k, &by_v}) sums->setZero();
  const auto lost = log_sums.array() == minus_infinity;
  s.row_terms = lost.select(0.0, log_sums.array()).matrix().template cast<T>();
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

/// Tied maps of tokens that attend to one another.
template <class T> bool is_one_set(const Head<T>& head) { return head.q.data() == head.k.data(); }

/// A head in float64, where float32 does not hold the exponents.
class WideHead {
 public:
  explicit WideHead(const Head<float>& head)
      : q_(head.q.cast<double>()),
        k_(is_one_set(head) ? Matrix<double>() : Matrix<double>(head.k.cast<double>())),
        v_(head.v.cast<double>()),
        y_(q_.rows(), v_.cols()),
        head_{.q = rows(q_),
              .k = is_one_set(head) ? rows(q_) : rows(k_),
              .v = rows(v_),
              .score = head.score,
              .temperature = head.temperature,
              .admitted = head.admitted} {}

  void attend(StridedSums<float> y) {
    sums();
    y = y_.cast<float>();
  }
  void pull_back(const StridedRows<float>& grad_y, HeadGradient<float>& gradient) {
    const Vector<double> log_sums = sums();
    const Matrix<double> grad = grad_y.cast<double>();
    Matrix<double> by_q(q_.rows(), q_.cols()), by_k(k_.rows(), k_.cols()), by_v(v_.rows(), v_.cols());
    HeadGradient<double> wide{whole(by_q), whole(k_.size() ? by_k : by_q), whole(by_v)};
    pull_back_tile<double>(head_, scratch<double>(), log_sums, rows(y_), rows(grad), wide);
    gradient.q.view() = by_q.cast<float>();
    if (k_.size()) gradient.k.view() = by_k.cast<float>();
    gradient.v.view() = by_v.cast<float>();
    gradient.log_temperature = wide.log_temperature;
  }

 private:
  static StridedRows<double> rows(const Matrix<double>& m) {
    return {m.data(), m.rows(), m.cols(), Eigen::OuterStride<>(m.cols())};
  }
  static Part<double> whole(Matrix<double>& m) { return {m, 0, m.rows(), 0, m.cols()}; }

  Vector<double> sums() {
    place(head_, scratch<double>());
    return attend_tile<double>(head_, scratch<double>(), whole(y_).view());
  }

  Matrix<double> q_, k_, v_, y_;
  Head<double> head_;
};

template <class T> void attend_short(const Head<T>& head, StridedSums<T> y, HeadTrace<T>& trace) {
  Scratch<T>& s = scratch<T>();
  place(head, s);
  if constexpr (std::is_same_v<T, float>)
    if (!holds_exponents(head, s)) return WideHead(head).attend(y);
  trace.log_sums = attend_tile(head, s, y);
}

template <class T>
void pull_back_short(const Head<T>& head, const HeadTrace<T>& trace, const StridedRows<T>& y,
                     const StridedRows<T>& grad_y, HeadGradient<T>& gradient) {
  Scratch<T>& s = scratch<T>();
  place(head, s);
  if constexpr (std::is_same_v<T, float>)
    if (!holds_exponents(head, s)) return WideHead(head).pull_back(grad_y, gradient);
  pull_back_tile(head, s, trace.log_sums, y, grad_y, gradient);
}

// --- long ones: the operator of the mechanism ----------------------------------------------------------------------

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
  // One set is a self-operator, whose tiles serve both of their sides.
  if (is_one_set(head)) return mechanism.self_operator(Points<T>(head.k), how, run);
  return mechanism.cross_operator(Points<T>(head.q), Points<T>(head.k), how, run);
}

template <class T>
void attend(const Head<T>& head, const Part<T>& y, HeadTrace<T>& trace, const Execution& run) {
  if (is_short(head)) {
    trace.weights.reset();
    return attend_short(head, y.view(), trace);
  }
  trace.weights = operator_of(head, run);
  y.take(trace.weights->apply(Points<T>(head.v), run));
}

template <class T>
void pull_back(const Head<T>& head, const HeadTrace<T>& trace, const StridedRows<T>& y,
               const StridedRows<T>& grad_y, HeadGradient<T>& gradient, const Execution& run) {
  if (is_short(head))
    pull_back_short(head, trace, y, grad_y, gradient);
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
