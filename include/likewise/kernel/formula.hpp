// A kernel's formula, written once as an expression of its input: evaluated on numbers and tiles here and on SIMD vectors in
// the engine (engine/simd/formula-inl.h), and differentiated.
#pragma once

#include <algorithm>
#include <cmath>
#include <concepts>
#include <limits>
#include <numbers>
#include <type_traits>

namespace likewise::expressions {

/// The kernel's input u, and what a derivative may read beside it: the log weight that was found for it.
struct Input {};
struct LogWeight {};
struct Zero {};
struct One {};
struct Number {
  double value;
};

template <class A, class B> struct Sum {
  A a;
  B b;
};
template <class A, class B> struct Product {
  A a;
  B b;
};
template <class A, class B> struct Quotient {
  A a;
  B b;
};
template <class A> struct Log { A of; };
/// log(1 + a), to all digits of a small a (on vectors to those of 1).
template <class A> struct Log1p { A of; };
template <class A> struct Log2 { A of; };
/// max(0, a), the base of a kernel that ends.
template <class A> struct Positive { A of; };
/// a^exponent, a >= 0.
template <class A> struct Power {
  A of;
  double exponent;
};
/// At most the largest number: an exponent that overflows stays finite.
template <class A> struct Finite { A of; };
/// a where u > 0, else b.
template <class A, class B> struct WherePositive {
  A a;
  B b;
};
/// 0 where u <= limit, else -infinity.
struct Step {
  double limit;
};
/// a phi^exponent where phi > 0, else 0.
template <class A> struct TimesPhi {
  A of;
  double exponent;
};

// clang-format off
template <class E> constexpr bool is_expression = false;
template <> inline constexpr bool is_expression<Input> = true;
template <> inline constexpr bool is_expression<LogWeight> = true;
template <> inline constexpr bool is_expression<Zero> = true;
template <> inline constexpr bool is_expression<One> = true;
template <> inline constexpr bool is_expression<Number> = true;
template <> inline constexpr bool is_expression<Step> = true;
template <class A, class B> constexpr bool is_expression<Sum<A, B>> = true;
template <class A, class B> constexpr bool is_expression<Product<A, B>> = true;
template <class A, class B> constexpr bool is_expression<Quotient<A, B>> = true;
template <class A, class B> constexpr bool is_expression<WherePositive<A, B>> = true;
template <class A> constexpr bool is_expression<Log<A>> = true;
template <class A> constexpr bool is_expression<Log1p<A>> = true;
template <class A> constexpr bool is_expression<Log2<A>> = true;
template <class A> constexpr bool is_expression<Positive<A>> = true;
template <class A> constexpr bool is_expression<Power<A>> = true;
template <class A> constexpr bool is_expression<Finite<A>> = true;
template <class A> constexpr bool is_expression<TimesPhi<A>> = true;
// clang-format on
template <class E>
concept Expression = is_expression<E>;

// --- writing: what is 0 or 1 leaves no trace

template <Expression A, Expression B> constexpr auto operator+(A a, B b) {
  if constexpr (std::is_same_v<A, Zero>)
    return b;
  else if constexpr (std::is_same_v<B, Zero>)
    return a;
  else
    return Sum<A, B>{a, b};
}
template <Expression A, Expression B> constexpr auto operator*(A a, B b) {
  if constexpr (std::is_same_v<A, Zero> || std::is_same_v<B, Zero>)
    return Zero{};
  else if constexpr (std::is_same_v<A, One>)
    return b;
  else if constexpr (std::is_same_v<B, One>)
    return a;
  else if constexpr (std::is_same_v<A, Number> && std::is_same_v<B, Number>)
    return Number{a.value * b.value};
  else
    return Product<A, B>{a, b};
}
template <Expression A, Expression B> constexpr auto operator/(A a, B b) {
  if constexpr (std::is_same_v<A, Zero>)
    return Zero{};
  else
    return Quotient<A, B>{a, b};
}
template <Expression A> constexpr auto operator*(double a, A b) { return Number{a} * b; }
template <Expression A> constexpr auto operator*(A a, double b) { return a * Number{b}; }
template <Expression A> constexpr auto operator+(double a, A b) { return Number{a} + b; }
template <Expression B> constexpr auto operator/(double a, B b) { return Number{a} / b; }
template <Expression A> constexpr auto operator-(A a) { return Number{-1} * a; }
template <Expression A> constexpr auto operator-(Product<A, Number> e) {
  return Product<A, Number>{e.a, {-e.b.value}};
}
template <Expression A, Expression B> constexpr auto operator-(A a, B b) { return a + -b; }
template <Expression A> constexpr auto operator-(double a, A b) { return Number{a} + -b; }
template <Expression A> constexpr Log<A> log(A a) { return {a}; }
template <Expression A> constexpr Log1p<A> log1p(A a) { return {a}; }
template <Expression A> constexpr Positive<A> positive(A a) { return {a}; }
template <Expression A> constexpr Power<A> pow(A a, double exponent) { return {a, exponent}; }
template <Expression A> constexpr Finite<A> finite(A a) { return {a}; }
template <Expression A, Expression B> constexpr WherePositive<A, B> where_positive(A a, B b) {
  return {a, b};
}
template <Expression A> constexpr auto where_positive(A a, double b) { return where_positive(a, Number{b}); }
constexpr Step step(Input, double limit) { return {limit}; }

// --- evaluating, on a number or an array of T

template <class T, class U, class L> struct Evaluate {
  const U& u;
  const L& log_weight;

  auto operator()(Input) const { return u; }
  auto operator()(LogWeight) const { return log_weight; }
  T operator()(Zero) const { return T(0); }
  T operator()(One) const { return T(1); }
  T operator()(Number n) const { return static_cast<T>(n.value); }
  template <class A, class B> auto operator()(const Sum<A, B>& e) const {
    return (*this)(e.a) + (*this)(e.b);
  }
  template <class A, class B> auto operator()(const Product<A, B>& e) const {
    return (*this)(e.a) * (*this)(e.b);
  }
  template <class A, class B> auto operator()(const Quotient<A, B>& e) const {
    return (*this)(e.a) / (*this)(e.b);
  }
  template <class A> auto operator()(const Log<A>& e) const {
    using std::log;
    return log((*this)(e.of));
  }
  template <class A> auto operator()(const Log1p<A>& e) const {
    using std::log1p;
    return log1p((*this)(e.of));
  }
  template <class A> auto operator()(const Positive<A>& e) const {
    if constexpr (std::is_same_v<U, T>)
      return std::fmax(T(0), (*this)(e.of));
    else
      return (*this)(e.of).max(T(0));
  }
  template <class A> auto operator()(const Power<A>& e) const {
    using std::pow;
    return pow((*this)(e.of), static_cast<T>(e.exponent));
  }
  template <class A> auto operator()(const Finite<A>& e) const {
    constexpr T most = std::numeric_limits<T>::max();
    if constexpr (std::is_same_v<U, T>)
      return std::fmin(most, (*this)(e.of));
    else
      return (*this)(e.of).min(most);
  }
  template <class A, class B> auto operator()(const WherePositive<A, B>& e) const {
    return where(u > T(0), (*this)(e.a), (*this)(e.b));
  }
  auto operator()(Step e) const {
    constexpr T none = -std::numeric_limits<T>::infinity();
    return where(u <= limit<T>(e), T(0), none);
  }
  template <class A> auto operator()(const TimesPhi<A>& e) const {
    using std::exp;
    return where(log_weight > -std::numeric_limits<T>::infinity(),
                 (*this)(e.of) * exp(log_weight * static_cast<T>(e.exponent)), T(0));
  }

 private:
  template <class C, class A, class B> static auto where(const C& condition, const A& a, const B& b) {
    if constexpr (std::is_same_v<U, T>)
      return condition ? a : b;
    else
      return condition.select(like(condition, a), like(condition, b));
  }
  /// A number as a constant array of that shape.
  template <class C, class A> static auto like(const C& shape, const A& a) {
    if constexpr (std::is_same_v<A, T>)
      return U::PlainObject::Constant(shape.rows(), shape.cols(), a);
    else
      return a;
  }
};

/// The limit in T, where it is finite: what T cannot hold is held by no T.
template <class T> T limit(Step e) {
  return std::isinf(e.limit) ? std::numeric_limits<T>::infinity()
                             : static_cast<T>(std::min(e.limit, double(std::numeric_limits<T>::max())));
}

/// The value of one input.
template <Expression E> double value(const E& e, double u) {
  return Evaluate<double, double, double>{u, u}(e);
}

/// Replaces a tile of inputs by values; `log_weight` is read where a derivative asks for it.
template <class T, class Inputs, class LogWeights, Expression E>
void replace(const E& e, Inputs&& inputs, const LogWeights& log_weights) {
  auto u = inputs.array();
  const auto log_k = log_weights.array();
  const auto found = Evaluate<T, decltype(u), decltype(log_k)>{u, log_k}(e);
  if constexpr (std::is_same_v<std::decay_t<decltype(found)>, T>)
    inputs.setConstant(found);
  else
    u = found;
}

// --- differentiating by the input

constexpr One derivative(Input) { return {}; }
constexpr Zero derivative(Number) { return {}; }
constexpr Zero derivative(Step) { return {}; }  // it moves by jumps only
template <class A> constexpr auto derivative(const Log<A>& e) { return derivative(e.of) / e.of; }
template <class A> constexpr auto derivative(const Log1p<A>& e) { return derivative(e.of) / (1 + e.of); }
/// 0 at 0 also where a power below 1 has no bound.
template <class A> constexpr auto derivative(const Power<A>& e) {
  return where_positive(Number{e.exponent} * pow(e.of, e.exponent - 1) * derivative(e.of), Zero{});
}
template <class A> constexpr auto derivative(const Finite<A>& e) { return derivative(e.of); }
template <class A, class B> constexpr auto derivative(const WherePositive<A, B>& e) {
  return where_positive(derivative(e.a), derivative(e.b));
}
template <class A, class B> constexpr auto derivative(const Sum<A, B>& e) {
  return derivative(e.a) + derivative(e.b);
}
template <class A, class B> constexpr auto derivative(const Product<A, B>& e) {
  return derivative(e.a) * e.b + e.a * derivative(e.b);
}

/// The derivative of log phi. Where the kernel ends, phi = a^power, it is power a' / a with a = phi^(1/power): the a of a
/// rounded input is another number near the end.
template <Expression E> constexpr auto slope(const E& e) { return derivative(e); }
template <class A> constexpr auto slope(const Product<Number, Log<Positive<A>>>& e) {
  const auto power_of_slope = e.a * derivative(e.b.of.of);
  return TimesPhi<std::remove_const_t<decltype(power_of_slope)>>{power_of_slope, -1 / e.a.value};
}
template <class A> constexpr auto slope(const Log<Positive<A>>& e) {
  return slope(Product<Number, Log<Positive<A>>>{{1}, e});
}

// --- asking

/// The r of an expression r u; 0 of another form.
template <class E> constexpr double rate(const E&) { return 0; }
constexpr double rate(Input) { return 1; }
template <class A> constexpr double rate(const Product<A, Number>& e) { return rate(e.a) * e.b.value; }
template <class A> constexpr double rate(const Product<Number, A>& e) { return e.a.value * rate(e.b); }
template <class A> constexpr double rate(const Finite<A>& e) { return rate(e.of); }

// --- in bits: log2 phi of an expression of log phi, without a product where a logarithm to base 2 takes its place

template <class E> constexpr bool is_logarithm = false;
template <class A> constexpr bool is_logarithm<Log<A>> = true;
template <class A> constexpr bool is_logarithm<Log1p<A>> = true;
template <class A, class B> constexpr bool is_logarithm<Product<A, B>> = is_logarithm<A> || is_logarithm<B>;

constexpr Step in_bits(Step e) { return e; }
constexpr Number in_bits(Number n) { return {n.value * std::numbers::log2e}; }
template <class A> constexpr Log2<A> in_bits(const Log<A>& e) { return {e.of}; }
template <class A> constexpr auto in_bits(const Log1p<A>& e) { return in_bits(log(1 + e.of)); }
template <Expression E> constexpr auto in_bits(const E& e) { return std::numbers::log2e * e; }
template <class A> constexpr auto in_bits(const Product<Number, A>& e) {
  if constexpr (is_logarithm<A>)
    return e.a * in_bits(e.b);
  else
    return in_bits(e.a) * e.b;
}
template <class A> constexpr auto in_bits(const Product<A, Number>& e) {
  return Product<A, Number>{e.a, in_bits(e.b)};
}
template <class A, class B> constexpr auto in_bits(const Sum<A, B>& e) { return in_bits(e.a) + in_bits(e.b); }
template <class A> constexpr auto in_bits(const Finite<A>& e) { return finite(in_bits(e.of)); }
template <class A, class B> constexpr auto in_bits(const WherePositive<A, B>& e) {
  return where_positive(in_bits(e.a), in_bits(e.b));
}

}  // namespace likewise::expressions
