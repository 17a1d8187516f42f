#include <likewise/linear_map.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>

#include "engine/call.hpp"

namespace likewise {
namespace {

template <class T> void require_square(const LinearMap<T>& P, const char* what) {
  require(P.rows() == P.cols(), what, "asked of a square operator",
          std::to_string(P.rows()) + " x " + std::to_string(P.cols()));
}

constexpr std::int64_t most_products = std::int64_t{1} << 20;

/// Whether columns are equal, each to the digits of its own size. What has overflown stays so.
template <class T> bool same_columns(const Matrix<T>& now, const Matrix<T>& before) {
  for (Index c = 0; c < now.cols(); ++c) {
    const T most = now.rows() ? now.col(c).cwiseAbs().maxCoeff() : T(0);
    if (!std::isfinite(most) || now.col(c).hasNaN()) continue;
    if (!((now.col(c) - before.col(c)).cwiseAbs().maxCoeff() <= 8 * std::numeric_limits<T>::epsilon() * most))
      return false;
  }
  return true;
}

/// The powers Y, P Y, P^2 Y, ... one by one, and whether they have come to rest: then every later one is the same up to
/// rounding. Asked every 64 products, so that a slow decay is not taken for rest.
/// With `in_range` each column is kept below the largest numbers, in units exp(log_unit()) of its own: P^k V of a map that grows
/// would overflow where its share of a series does not.
template <class T, class Step> class Powers {
 public:
  Powers(const Values<T>& V, const Step& step, bool in_range = false)
      : now_(V), before_(V), step_(step), in_range_(in_range), log_unit_(Vector<double>::Zero(V.cols())) {}

  const Matrix<T>& now() const { return now_; }
  const Vector<double>& log_unit() const { return log_unit_; }
  bool at_rest() const { return period_ == 1; }
  /// The columns repeat after two products (1 or 2: a bipartite graph), so that only whether t is odd matters.
  bool repeat() const { return period_ > 0; }

  void advance() {
    require(count_ < most_products, "t",
            "such that the columns come to rest within 2^20 products, or at most that many (eigsh finds the "
            "slow modes)",
            "an operator that mixes more slowly");
    now_ = step_(now_);
    if (in_range_) take_units();
    if (++count_ % 64 == 0) before_ = now_;
    const std::int64_t since = count_ % 64;
    if (count_ < 64 || since < 60 || since == 61) return;
    // Steps that differ by two are equal where the period is 2 or 1, by one where it is 1; a longer one shows in none.
    const bool equal = same_columns(now_, before_);
    if (since > 60) period_ = equal && equal_before_ ? 64 - static_cast<int>(since) : 0;
    equal_before_ = equal;
  }

 private:
  void take_units() {
    const T most = std::sqrt(std::numeric_limits<T>::max());
    for (Index c = 0; c < now_.cols() && now_.rows() > 0; ++c) {
      const T size = now_.col(c).cwiseAbs().maxCoeff();
      if (!(size > most) || !std::isfinite(size)) continue;
      now_.col(c) /= size;
      before_.col(c) /= size;
      log_unit_(c) += std::log(static_cast<double>(size));
    }
  }

  Matrix<T> now_, before_;
  const Step& step_;
  bool in_range_;
  Vector<double> log_unit_;
  std::int64_t count_ = 0;
  bool equal_before_ = false;
  int period_ = 0;
};

template <class T> struct PowerMap final : LinearMapStorage<T> {
  LinearMap<T> P;
  std::int64_t t;

  PowerMap(LinearMap<T> map, std::int64_t steps) : P(std::move(map)), t(steps) {}
  Index rows() const override { return P.rows(); }
  Index cols() const override { return P.cols(); }
  Matrix<T> apply(const Values<T>& V, const Execution& run) const override {
    return steps(V, [&](const Matrix<T>& Y) { return P.apply(Y, run); });
  }
  Matrix<T> apply_transposed(const Values<T>& V, const Execution& run) const override {
    return steps(V, [&](const Matrix<T>& Y) { return P.apply_transposed(Y, run); });
  }

 private:
  template <class Step> Matrix<T> steps(const Values<T>& V, const Step& step) const {
    Powers<T, Step> powers(V, step);
    for (std::int64_t left = t; left > 0; --left) {
      if (powers.at_rest()) break;
      if (powers.repeat()) left = (left - 1) % 2 + 1;
      powers.advance();
    }
    return powers.now();
  }
};

template <class T> struct TransposedMap final : LinearMapStorage<T> {
  LinearMap<T> P;

  explicit TransposedMap(LinearMap<T> map) : P(std::move(map)) {}
  Index rows() const override { return P.cols(); }
  Index cols() const override { return P.rows(); }
  Matrix<T> apply(const Values<T>& V, const Execution& run) const override {
    return P.apply_transposed(V, run);
  }
  Matrix<T> apply_transposed(const Values<T>& V, const Execution& run) const override {
    return P.apply(V, run);
  }
};

/// exp(-t) sum_k t^k/k! P^k: all terms positive, so nothing cancels; ends where the rest of the Poisson law
/// is below eps and, where powers grow, the terms are. Long times are walked in parts, exp(-t) = exp(-s)^(t/s): the law's logarithms keep their digits.
template <class T> struct HeatMap final : LinearMapStorage<T> {
  LinearMap<T> P;
  double t;

  HeatMap(LinearMap<T> map, double time) : P(std::move(map)), t(time) {}
  Index rows() const override { return P.rows(); }
  Index cols() const override { return P.cols(); }
  Matrix<T> apply(const Values<T>& V, const Execution& run) const override {
    return parts(V, [&](const Matrix<T>& Y) { return P.apply(Y, run); });
  }
  Matrix<T> apply_transposed(const Values<T>& V, const Execution& run) const override {
    return parts(V, [&](const Matrix<T>& Y) { return P.apply_transposed(Y, run); });
  }

 private:
  static constexpr double longest_part = 4096;

  template <class Step> Matrix<T> parts(const Values<T>& V, const Step& step) const {
    if (t <= longest_part) return series(V, t, step);
    const double n_parts = std::ceil(t / longest_part);
    const double most_parts = static_cast<double>(most_products) / longest_part;
    Matrix<T> now = V;
    for (double part = 0; part < n_parts; ++part) {
      require(part < most_parts, "t",
              "such that the columns come to rest within 2^20 products, or at most 2^20 (eigsh finds the "
              "slow modes)",
              t);
      Matrix<T> next = series(now, t / n_parts, step);
      const bool at_rest = same_columns(next, now);
      now = std::move(next);
      if (at_rest) break;
    }
    return now;
  }

  /// A term beside the sum, column by column; of numbers beyond the largest nothing more is to be had.
  static bool negligible(const Matrix<T>& term, const Matrix<T>& sum) {
    if (term.size() == 0) return true;
    const auto most = sum.cwiseAbs().colwise().maxCoeff() * std::numeric_limits<T>::epsilon();
    return !(term.cwiseAbs().colwise().maxCoeff().array() > most.array()).any();
  }

  template <class Step> Matrix<T> series(const Values<T>& V, double time, const Step& step) const {
    const int n_terms = static_cast<int>(std::ceil(time + 10 * std::sqrt(time) + 20));
    Powers<T, Step> powers(V, step, true);
    Matrix<T> sum = Matrix<T>::Zero(V.rows(), V.cols()), term;
    double left = 1;  // of the Poisson law
    for (std::int64_t k = 0;; ++k) {
      const auto n = static_cast<double>(k);
      const double log_weight =
          -time + (time > 0 ? n * std::log(time) : (k ? -HUGE_VAL : 0.0)) - std::lgamma(n + 1.0);
      const bool last = powers.at_rest();
      left -= last ? 0 : std::exp(log_weight);
      const double log_share = last ? std::log(std::max(left, 0.0)) : log_weight;
      term = powers.now();
      for (Index c = 0; c < term.cols(); ++c)
        term.col(c) *= static_cast<T>(std::exp(log_share + powers.log_unit()(c)));
      sum += term;
      if (last || (k >= n_terms && negligible(term, sum))) break;
      powers.advance();
    }
    return sum;
  }
};

void require_rows(Index given, Index wanted, const char* of) {
  require(given == wanted, "V", "a matrix with " + std::to_string(wanted) + " rows (one for each " + of + ")",
          given);
}

}  // namespace

template <class T> Matrix<T> LinearMap<T>::apply(const Values<T>& V, const Execution& run) const {
  const engine::Call call(run);
  require_rows(V.rows(), cols(), "key");
  return implementation().apply(V, run);
}

template <class T> Matrix<T> LinearMap<T>::apply_transposed(const Values<T>& V, const Execution& run) const {
  const engine::Call call(run);
  require_rows(V.rows(), rows(), "query");
  return implementation().apply_transposed(V, run);
}

template <class T> LinearMap<T> LinearMap<T>::transpose() const {
  return LinearMap<T>(std::make_shared<const TransposedMap<T>>(*this));
}

template <class T> const LinearMapStorage<T>& LinearMap<T>::implementation() const {
  require(storage_ != nullptr, "operator", "one that a mechanism made of points", "an empty one");
  return *storage_;
}

template <class T> LinearMap<T> power(const LinearMap<T>& P, std::int64_t t) {
  require_square(P, "power");
  require(t >= 0, "t", "an int >= 0", t);
  return LinearMap<T>(std::make_shared<const PowerMap<T>>(P, t));
}

template <class T> LinearMap<T> heat(const LinearMap<T>& P, double t) {
  require_square(P, "heat");
  require(t >= 0 && std::isfinite(t), "t", "a finite number >= 0", t);
  return LinearMap<T>(std::make_shared<const HeatMap<T>>(P, t));
}

#define LIKEWISE_INSTANTIATE(T)                                   \
  template class LinearMap<T>;                                    \
  template LinearMap<T> power(const LinearMap<T>&, std::int64_t); \
  template LinearMap<T> heat(const LinearMap<T>&, double);
LIKEWISE_INSTANTIATE(float)
LIKEWISE_INSTANTIATE(double)
#undef LIKEWISE_INSTANTIATE

}  // namespace likewise
