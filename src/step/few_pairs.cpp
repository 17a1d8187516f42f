#include "step/few_pairs.hpp"

#include <cmath>
#include <limits>
#include <type_traits>

#include "engine/exp_weights.hpp"
#include "engine/product.hpp"
#include "engine/single_precision.hpp"
#include "operator/pair_filters.hpp"

namespace likewise::few_pairs {
namespace {

using engine::add_product;
using engine::as_it_is;
using engine::transposed;

constexpr double minus_infinity = -std::numeric_limits<double>::infinity();

/// Beyond, an operator is as fast or faster, measured forward and backward at 8 to 32 features: with 128 x 128 pairs 1.0 to
/// 1.9 times, with 64 x 64 0.7 to 1.25 times, with 16 x 16 0.3 to 0.4 times as fast.
constexpr Index most_pairs = 64 * 64;

/// Squared distances of a product of float64 lose about epsilon times |q|^2 + |k|^2; up to this over the temperature that
/// is 1e-11 of a weight. Beyond, one far token would cost the others their digits: pairs are found by definition.
constexpr double largest_double_exponent = 65536;

/// The cost of points as they are.
enum class Cost { dot, square, other };

Cost cost_of(const Metric& metric) {
  return std::visit(
      []<class M>(const M& m) {
        if constexpr (IdentityLift<M>) return Cost::dot;
        if constexpr (LiftedMetric<M>) {
          const auto sum = m.coordinate_sum();
          if (sum && sum->power == 2 && !sum->factor && m.traits().distance_power == 2) return Cost::square;
        }
        return Cost::other;
      },
      metric);
}

/// A thread's, for all its tiles.
template <class T> struct Scratch {
  Matrix<T> scores, slopes, by_weight, log_weights, q, k, k_columns, by_k_columns;
  Vector<T> row_terms, column_terms, q_squares, k_squares;
};
template <class T> Scratch<T>& scratch() {
  thread_local Scratch<T> mine;
  return mine;
}

template <class T> class PairTile {
 public:
  PairTile(const Mechanism& mechanism, const StepInputs<T>& inputs, Scratch<T>& scratch)
      : inputs_(inputs),
        s_(scratch),
        n_(inputs.q.rows()),
        m_(inputs.k.rows()),
        is_dot_(cost_of(mechanism.metric) == Cost::dot),
        temperature_(*temperature_of(mechanism.kernel)) {
    weigh(mechanism.support);
    place();
  }

  /// Whether float32 holds the exponents to enough digits, as those of an operator.
  bool single_precision_serves() const {
    if (inputs_.log_key_weights)
      for (const double w : *inputs_.log_key_weights)
        if (w > minus_infinity && std::abs(w) > engine::largest_single_exponent) return false;
    constexpr double least_temperature = 1e-30;  // whose inverse float32 holds
    return temperature_ > least_temperature && exponents_within(engine::largest_single_exponent);
  }

  /// Writes y; returns log sum_j w_j exp(-c_ij / t).
  Vector<double> step(StridedSums<T> y) {
    fill_scores();
    if (weighted_) s_.scores += s_.log_weights;
    // A row that admits nobody keeps weights of 0 with any finite reference.
    s_.row_terms = s_.scores.rowwise().maxCoeff().cwiseMax(std::numeric_limits<T>::lowest());
    s_.scores.colwise() -= s_.row_terms;
    s_.scores = engine::exp_weights(s_.scores.array()).matrix();
    const Vector<T> mass = s_.scores.rowwise().sum();
    y.setZero();
    add_product<T>(T(1), as_it_is<T>(s_.scores), as_it_is<T>(inputs_.v), y);
    y.array().colwise() *= (mass.array() > 0).select(mass.array().inverse(), T(0));
    return s_.row_terms.template cast<double>().array() + mass.template cast<double>().array().log();
  }

  void step_vjp(const Vector<double>& log_sums, const StridedRows<T>& y, const StridedRows<T>& grad_y,
                StepGradient<T>& gradient) {
    fill_scores();
    StridedSums<T> by_q = gradient.q.view(), by_k = gradient.k.view(), by_v = gradient.v.view();
    for (StridedSums<T>* sums : {&by_q, &by_k, &by_v}) sums->setZero();
    const auto lost = log_sums.array() == minus_infinity;
    s_.row_terms = lost.select(0.0, log_sums.array()).matrix().template cast<T>();
    s_.slopes = s_.scores.colwise() - s_.row_terms;
    if (weighted_) s_.slopes += s_.log_weights;
    s_.slopes = engine::exp_weights(s_.slopes.array()).matrix();
    add_product<T>(T(1), transposed<T>(s_.slopes), as_it_is<T>(grad_y), by_v);
    // dL/dscore_ij = p_ij (<g_i, v_j> - <g_i, y_i>)
    Matrix<T>& by_score = s_.slopes;
    s_.row_terms = grad_y.cwiseProduct(y).rowwise().sum();
    s_.by_weight.setZero(n_, m_);
    add_product<T>(T(1), as_it_is<T>(grad_y), transposed<T>(inputs_.v), s_.by_weight);
    by_score.array() *= s_.by_weight.array().colwise() - s_.row_terms.array();
    gradient.log_temperature -= by_score.cwiseProduct(s_.scores).template cast<double>().sum();
    // Of a squared distance: the sums of by_score over a row are 0, those of its columns are not.
    const T factor = static_cast<T>((is_dot_ ? 1 : 2) / temperature_);
    if (by_differences_) return add_differences(factor, by_q, by_k);
    add_product<T>(factor, as_it_is<T>(by_score), as_it_is<T>(s_.k), by_q);
    add_product<T>(factor, transposed<T>(by_score), as_it_is<T>(s_.q), by_k);
    if (is_dot_) return;
    s_.column_terms = by_score.colwise().sum().transpose();
    by_k -= factor * s_.column_terms.asDiagonal() * s_.k;
  }

 private:
  /// What pairs bring beside their cost: the keys' weights, and -inf where the support does not admit them.
  void weigh(const Support& support) {
    weighted_ = inputs_.log_key_weights || !support.filters().empty();
    if (!weighted_) return;
    if (inputs_.log_key_weights)
      s_.log_weights = inputs_.log_key_weights->transpose().template cast<T>().replicate(n_, 1);
    else
      s_.log_weights.setZero(n_, m_);
    const Askers askers = inputs_.one_set ? Askers::keys : Askers::beside;
    PairFilters(support, {n_, m_, askers})
        .exclude(0, 0, static_cast<T>(minus_infinity), Tile<T>(s_.log_weights));
  }

  /// Whether no product of a query and a key has terms beyond this in an exponent; false of what overflows.
  bool exponents_within(double largest) const {
    const double q = std::sqrt(static_cast<double>(s_.q_squares.maxCoeff())),
                 k = std::sqrt(static_cast<double>(s_.k_squares.maxCoeff()));
    const double terms = is_dot_ ? q * k : (q + k) * (q + k);
    return terms / temperature_ <= largest;
  }

  /// Queries and keys into the scratch, with their squared lengths. Squared distances are taken from the keys' mean, so
  /// that an offset of all costs no digits.
  void place() {
    copy_points();
    if (!is_dot_) {
      const auto center = s_.k.colwise().mean().eval();
      s_.q.rowwise() -= center;
      s_.k.rowwise() -= center;
    }
    s_.q_squares = s_.q.rowwise().squaredNorm();
    s_.k_squares = s_.k.rowwise().squaredNorm();
    by_differences_ = std::is_same_v<T, double> && !is_dot_ && !exponents_within(largest_double_exponent);
    if (!by_differences_) return;
    copy_points();  // a far center has cost them digits
    s_.k_columns = s_.k.transpose();
  }

  void copy_points() {
    s_.q = inputs_.q;
    s_.k = inputs_.k;
    if (weighted_) hide_unheard();
  }

  /// Keys that nobody speaks to become one that somebody does: whatever they hold is not read.
  void hide_unheard() {
    const auto heard = (s_.log_weights.colwise().maxCoeff().array() > static_cast<T>(minus_infinity)).eval();
    Index first = 0;
    while (first < m_ && !heard(first)) ++first;
    for (Index j = 0; j < m_ && first < m_; ++j)
      if (!heard(j)) s_.k.row(j) = s_.k.row(first);
  }

  /// Scores -c/t of all pairs.
  void fill_scores() {
    const T inverse = static_cast<T>(1 / temperature_);
    s_.scores.setZero(n_, m_);
    if (by_differences_) return subtract_squares(inverse);
    if (!is_dot_) {
      s_.scores.colwise() -= inverse * s_.q_squares;
      s_.scores.rowwise() -= inverse * s_.k_squares.transpose();
    }
    add_product<T>((is_dot_ ? T(1) : T(2)) * inverse, as_it_is<T>(s_.q), transposed<T>(s_.k), s_.scores);
    if (!is_dot_) s_.scores = s_.scores.cwiseMin(T(0));  // rounding must not make a distance negative
  }

  /// Scores less c/t, each pair's from its own difference. No score is infinite, so that a weight of 0 times one is 0.
  void subtract_squares(T inverse) {
    for (Index i = 0; i < n_; ++i) {
      auto scores = s_.scores.row(i).array();
      for (Index c = 0; c < s_.q.cols(); ++c) scores -= (s_.k_columns.row(c).array() - s_.q(i, c)).square();
      scores = (scores * inverse).cwiseMax(std::numeric_limits<T>::lowest());
    }
  }

  /// Adds factor times sum_j s_ij (k_j - q_i) to each query's, and the opposite to each key's, s being slopes by score.
  void add_differences(T factor, StridedSums<T>& by_q, StridedSums<T>& by_k) {
    s_.by_k_columns.setZero(s_.k_columns.rows(), m_);
    for (Index i = 0; i < n_; ++i) {
      const auto slopes = s_.slopes.row(i).array();
      for (Index c = 0; c < s_.q.cols(); ++c) {
        s_.column_terms = (slopes * (s_.k_columns.row(c).array() - s_.q(i, c))).matrix().transpose();
        by_q(i, c) += factor * s_.column_terms.sum();
        s_.by_k_columns.row(c) -= factor * s_.column_terms.transpose();
      }
    }
    by_k += s_.by_k_columns.transpose();
  }

  const StepInputs<T>& inputs_;
  Scratch<T>& s_;
  Index n_, m_;
  bool is_dot_, weighted_ = false, by_differences_ = false;
  double temperature_;
};

/// The same step in float64, where float32 does not hold the exponents.
class Widened {
 public:
  Widened(const Mechanism& mechanism, const StepInputs<float>& inputs)
      : q_(inputs.q.cast<double>()),
        k_(inputs.k.cast<double>()),
        v_(inputs.v.cast<double>()),
        y_(q_.rows(), v_.cols()),
        inputs_{rows(q_), rows(k_), rows(v_), inputs.log_key_weights, inputs.one_set},
        tile_(mechanism, inputs_, scratch<double>()) {}

  Vector<double> step(StridedSums<float> y) {
    const Vector<double> log_sums = tile_.step(whole(y_).view());
    y = y_.cast<float>();
    return log_sums;
  }
  /// y is found again: its float32 digits would not do.
  void step_vjp(const StridedRows<float>& grad_y, StepGradient<float>& gradient) {
    const Vector<double> log_sums = tile_.step(whole(y_).view());
    const Matrix<double> grad = grad_y.cast<double>();
    Matrix<double> by_q(q_.rows(), q_.cols()), by_k(k_.rows(), k_.cols()), by_v(v_.rows(), v_.cols());
    StepGradient<double> wide{whole(by_q), whole(inputs_.one_set ? by_q : by_k), whole(by_v)};
    tile_.step_vjp(log_sums, rows(y_), rows(grad), wide);
    gradient.q.view() = by_q.cast<float>();
    if (!inputs_.one_set) gradient.k.view() = by_k.cast<float>();
    gradient.v.view() = by_v.cast<float>();
    gradient.log_temperature += wide.log_temperature;
  }

 private:
  static StridedRows<double> rows(const Matrix<double>& m) {
    return {m.data(), m.rows(), m.cols(), Eigen::OuterStride<>(m.cols())};
  }
  static Part<double> whole(Matrix<double>& m) { return {m, 0, m.rows(), 0, m.cols()}; }

  Matrix<double> q_, k_, v_, y_;
  StepInputs<double> inputs_;
  PairTile<double> tile_;
};

}  // namespace

template <class T> bool serve(const Mechanism& mechanism, const StepInputs<T>& inputs) {
  const auto* by_mass = std::get_if<RowStochastic>(&mechanism.normalization);
  const Support& support = mechanism.support;
  return inputs.q.rows() * inputs.k.rows() <= most_pairs && temperature_of(mechanism.kernel)
         && cost_of(mechanism.metric) != Cost::other && support.graphs().empty()
         && support.selector().index() == 0 && by_mass && by_mass->null_mass == 0
         && mechanism.empty_row == EmptyRow::zero;
}

template <class T>
Vector<double> step(const Mechanism& mechanism, const StepInputs<T>& inputs, StridedSums<T> y) {
  PairTile<T> tile(mechanism, inputs, scratch<T>());
  if constexpr (std::is_same_v<T, float>)
    if (!tile.single_precision_serves()) return Widened(mechanism, inputs).step(y);
  return tile.step(y);
}

template <class T>
void step_vjp(const Mechanism& mechanism, const StepInputs<T>& inputs, const Vector<double>& log_sums,
              const StridedRows<T>& y, const StridedRows<T>& grad_y, StepGradient<T>& gradient) {
  PairTile<T> tile(mechanism, inputs, scratch<T>());
  if constexpr (std::is_same_v<T, float>)
    if (!tile.single_precision_serves()) return Widened(mechanism, inputs).step_vjp(grad_y, gradient);
  tile.step_vjp(log_sums, y, grad_y, gradient);
}

#define LIKEWISE_INSTANTIATE(T)                                                         \
  template bool serve(const Mechanism&, const StepInputs<T>&);                          \
  template Vector<double> step(const Mechanism&, const StepInputs<T>&, StridedSums<T>); \
  template void step_vjp(const Mechanism&, const StepInputs<T>&, const Vector<double>&, \
                         const StridedRows<T>&, const StridedRows<T>&, StepGradient<T>&);
LIKEWISE_INSTANTIATE(float)
LIKEWISE_INSTANTIATE(double)
#undef LIKEWISE_INSTANTIATE

}  // namespace likewise::few_pairs
