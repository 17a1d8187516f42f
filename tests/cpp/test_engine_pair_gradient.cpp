// The fused derivative of a block of pairs at the edges of its tiles, with masks and in both directions, against plain loops.
#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include <likewise/simd_target.hpp>

#include "catch.hpp"
#include "engine/simd/pair_gradient.hpp"
#include "testing.hpp"

using namespace likewise;
using engine::PairMask;

namespace {

/// Pairs that a rule admits; coverage by asking for each.
class RuleMask final : public PairMask {
 public:
  explicit RuleMask(std::function<bool(Index, Index)> rule) : rule_(std::move(rule)) {}
  Coverage coverage(Index i0, Index n, Index j0, Index m) const override {
    Index found = 0;
    for (Index i = i0; i < i0 + n; ++i)
      for (Index j = j0; j < j0 + m; ++j) found += rule_(i, j);
    return found == 0 ? Coverage::empty : found == n * m ? Coverage::full : Coverage::partial;
  }
  void admitted(Index i0, Index n, Index j0, Index m, unsigned char* admitted, Index stride) const override {
    for (Index a = 0; a < n; ++a)
      for (Index b = 0; b < m; ++b) admitted[b * stride + a] = rule_(i0 + a, j0 + b);
  }
  bool operator()(Index i, Index j) const { return rule_(i, j); }

 private:
  std::function<bool(Index, Index)> rule_;
};

/// What one side brings and gets, as those who ask or who are asked.
template <class T> struct End {
  Matrix<T> columns, by_values;
  Vector<T> shift, deduction, factor;
  Vector<double> sums;

  End(Index n, Index c, unsigned seed)
      : columns(normal_matrix(n, c, seed).template cast<T>()),
        by_values(Matrix<T>::Ones(n, c)),
        shift(normal_matrix(n, 1, seed + 1).template cast<T>()),
        deduction(normal_matrix(n, 1, seed + 2).template cast<T>()),
        factor(normal_matrix(n, 1, seed + 3).template cast<T>()),
        sums(Vector<double>::Ones(n)) {}

  engine::simd::PairTerms<T> terms(bool with_deductions) {
    return {columns.data(),
            columns.cols(),
            shift.data(),
            with_deductions ? deduction.data() : nullptr,
            with_deductions ? factor.data() : nullptr,
            sums.data()};
  }
};

template <class T> struct Side {
  Index first;
  Matrix<T> points, by_points;
  End<T> asks, asked;

  Side(Index first_point, Index n, Index width, Index c, unsigned seed)
      : first(first_point),
        points(normal_matrix(n, width, seed).template cast<T>()),
        by_points(Matrix<T>::Ones(n, width)),
        asks(n, c, seed + 1),
        asked(n, c, seed + 11) {}
  engine::simd::PairSide<T> side(bool by) {
    return {first, points.rows(), points.data(), by ? by_points.data() : nullptr};
  }
};

struct Case {
  int n_directions;
  bool with_deductions, by_points, by_values;
};

/// What one direction owes, by the definition: added to both sides; returns its sum of dL/d log P times the score.
template <class T>
double add_by_definition(Side<T>& queries, Side<T>& keys, double scale, double rate, const RuleMask* mask,
                         const Case& c) {
  double by_scores = 0;
  End<T>&q = queries.asks, &k = keys.asked;
  for (Index i = 0; i < queries.points.rows(); ++i)
    for (Index j = 0; j < keys.points.rows(); ++j) {
      if (mask && !(*mask)(queries.first + i, keys.first + j)) continue;
      const double score =
          scale
          * queries.points.row(i).template cast<double>().dot(keys.points.row(j).template cast<double>());
      const double p = std::exp2(score + double(q.shift(i)) + double(k.shift(j)));
      double slope = q.columns.row(i).template cast<double>().dot(k.columns.row(j).template cast<double>());
      if (c.with_deductions)
        slope -= double(q.deduction(i)) + double(k.deduction(j)) + double(q.factor(i)) * double(k.factor(j));
      const double owed = p * slope;
      q.sums(i) += owed;
      k.sums(j) += owed;
      by_scores += owed * score;
      if (c.by_values) k.by_values.row(j) += static_cast<T>(p) * q.columns.row(i);
      if (!c.by_points) continue;
      queries.by_points.row(i) += static_cast<T>(rate * owed) * keys.points.row(j);
      keys.by_points.row(j) += static_cast<T>(rate * owed) * queries.points.row(i);
    }
  return by_scores;
}

template <class T> void check_same(const Matrix<T>& found, const Matrix<T>& wanted, double tolerance) {
  const double size = 1 + (wanted.size() ? static_cast<double>(wanted.cwiseAbs().maxCoeff()) : 0);
  CHECK(((found - wanted).array().abs() <= static_cast<T>(tolerance * size)).all());
}

template <class T>
void check(Index n, Index m, Index width, Index columns, const RuleMask* mask, const Case& c) {
  const double scale = 0.4 / std::sqrt(static_cast<double>(width)), rate = 0.7;
  Side<T> rows(5, n, width, columns, 1), panels(9, m, width, columns, 101);
  Side<double> d_rows(5, n, width, columns, 1), d_panels(9, m, width, columns, 101);
  const auto as_double = [](const Side<T>& from, Side<double>& to) {
    to.points = from.points.template cast<double>();
    for (auto [a, b] : {std::pair{&from.asks, &to.asks}, std::pair{&from.asked, &to.asked}}) {
      b->columns = a->columns.template cast<double>();
      b->shift = a->shift.template cast<double>();
      b->deduction = a->deduction.template cast<double>();
      b->factor = a->factor.template cast<double>();
    }
  };
  as_double(rows, d_rows);
  as_double(panels, d_panels);
  double wanted = add_by_definition<double>(d_rows, d_panels, scale, rate, mask, c);
  if (c.n_directions == 2) wanted += add_by_definition<double>(d_panels, d_rows, scale, rate, mask, c);

  engine::simd::PairScratch<T> scratch;
  std::fill_n(scratch.take(400'000), 400'000, std::numeric_limits<T>::max());  // what others left there
  const auto values = [&](End<T>& end) { return c.by_values ? end.by_values.data() : nullptr; };
  const double found = engine::simd::differentiate_pairs<T>(
      {.rows = rows.side(c.by_points),
       .panels = panels.side(c.by_points),
       .width = width,
       .n_columns = columns,
       .scale = static_cast<T>(scale),
       .rate = static_cast<T>(rate),
       .mask = mask,
       .directions = {{{true, rows.asks.terms(c.with_deductions), panels.asked.terms(c.with_deductions),
                        values(panels.asked)},
                       {false, rows.asked.terms(c.with_deductions), panels.asks.terms(c.with_deductions),
                        values(rows.asked)}}},
       .n_directions = c.n_directions},
      scratch);

  const double tolerance = std::is_same_v<T, float> ? 2e-5 : 1e-13;
  const auto compare = [&](const Side<T>& ours, const Side<double>& theirs) {
    check_same<double>(ours.by_points.template cast<double>(), theirs.by_points, tolerance);
    for (auto [a, b] : {std::pair{&ours.asks, &theirs.asks}, std::pair{&ours.asked, &theirs.asked}}) {
      check_same<double>(a->by_values.template cast<double>(), b->by_values, tolerance);
      check_same<double>(a->sums, b->sums, tolerance);
    }
  };
  compare(rows, d_rows);
  compare(panels, d_panels);
  const double sizes = d_rows.asks.sums.cwiseAbs().sum() + d_rows.asked.sums.cwiseAbs().sum();
  CHECK(std::fabs(found - wanted) <= tolerance * (1 + sizes));
}

}  // namespace

TEMPLATE_TEST_CASE("pair gradients around every tile edge, masked, in one direction and both", "[engine]",
                   float, double) {
  using T = TestType;
  const RuleMask causal([](Index i, Index j) { return i >= j; }),
      not_itself([](Index i, Index j) { return i != j; }),
      scattered([](Index i, Index j) { return (i * 7 + j * 11) % 5 < 2; }),
      forward([](Index i, Index j) { return i < 300 && j < 300 && i + 40 < j; });
  const RuleMask* const masks[] = {nullptr, &causal, &not_itself, &scattered, &forward};
  const Case cases[] = {{1, true, true, true},   {2, true, true, true},  {1, false, true, false},
                        {2, false, false, true}, {1, true, false, true}, {2, true, true, false}};
  const Index widths[] = {1, 2, 3, 8, 15, 16, 17, 48, 49, 64, 65, 80},
              columns[] = {0, 1, 2, 5, 16, 17, 33, 49, 64, 65};
  for (const std::string& target : simd_targets()) {
    const OnTarget forced(target);
    std::size_t turn = 0;
    for (const Index n : {1, 2, 7, 8, 9, 63, 64, 65, 130})
      for (const Index m : {1, 3, 4, 5, 23, 24, 25, 47, 48, 49, 97}) {
        const Case& c = cases[turn % 6];
        const Index width = widths[turn % 12], n_columns = columns[turn % 10];
        INFO(target << ": " << n << " x " << m << ", " << width << " features, " << n_columns
                    << " columns, mask " << turn % 5 << ", case " << turn % 6);
        check<T>(n, m, width, n_columns, masks[turn % 5], c);
        ++turn;
      }
  }
}

TEST_CASE("a weight of 0 owes nothing, whatever it meets", "[engine]") {
  Side<float> rows(0, 10, 2, 1, 1), panels(0, 50, 2, 1, 101);
  rows.asks.shift(3) = -std::numeric_limits<float>::infinity();  // a row without mass
  rows.asks.columns(3, 0) = std::numeric_limits<float>::max();
  panels.asked.columns *= 8;
  engine::simd::PairScratch<float> scratch;
  const double total = engine::simd::differentiate_pairs<float>(
      {.rows = rows.side(true),
       .panels = panels.side(true),
       .width = 2,
       .n_columns = 1,
       .scale = 1,
       .rate = 1,
       .mask = nullptr,
       .directions = {{{true, rows.asks.terms(false), panels.asked.terms(false),
                        panels.asked.by_values.data()}}},
       .n_directions = 1},
      scratch);
  CHECK(std::isfinite(total));
  CHECK(rows.asks.sums(3) == 1);
  CHECK((rows.by_points.row(3).array() == 1).all());
  CHECK(panels.by_points.allFinite());
  CHECK(panels.asked.by_values.allFinite());
}
