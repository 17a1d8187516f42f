#include "select_bandwidth/places.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>

namespace likewise::bandwidths {
namespace {

constexpr double minus_infinity = -std::numeric_limits<double>::infinity();

std::size_t at(Index i) { return static_cast<std::size_t>(i); }

/// Of a row's numbers: equal rows have equal codes, 0 and -0 among them.
template <class T> std::uint64_t code_of(const T* row, Index width) {
  std::uint64_t code = 0x9e3779b97f4a7c15u;
  for (Index k = 0; k < width; ++k) {
    const double number = static_cast<double>(row[k]) + 0.0;
    code = (code ^ std::bit_cast<std::uint64_t>(number)) * 0xff51afd7ed558ccdu;
    code ^= code >> 32;
  }
  return code;
}

/// Points of positive weight by (code, index). Sorting numbers, not rows: 10 times as fast at 50 000 rows of 33.
template <class T>
std::vector<std::pair<std::uint64_t, Index>> coded(const Points<T>& Z, const Vector<double>& log_weights) {
  std::vector<std::pair<std::uint64_t, Index>> codes;
  for (Index i = 0; i < Z.rows(); ++i)
    if (log_weights(i) > minus_infinity) codes.emplace_back(code_of(Z.row(i).data(), Z.cols()), i);
  std::sort(codes.begin(), codes.end());
  return codes;
}

/// The lowest index of an equal point, or -1 for points of weight 0.
template <class T> std::vector<Index> first_copies(const Points<T>& Z, const Vector<double>& log_weights) {
  std::vector<Index> first(at(Z.rows()), -1), seen;  // seen: the different points of one code
  std::optional<std::uint64_t> code;
  for (const auto& [of_row, i] : coded<T>(Z, log_weights)) {
    if (code != of_row) seen.clear();
    code = of_row;
    const Index row = i;
    const auto same = std::find_if(seen.begin(), seen.end(), [&](Index j) { return Z.row(j) == Z.row(row); });
    first[at(i)] = same == seen.end() ? i : *same;
    if (same == seen.end()) seen.push_back(i);
  }
  return first;
}

/// The members of one place: each hears the sums of those before it, of those after it and of its own rest, so that
/// nothing is subtracted. Weights are relative to exp(log_unit).
void put_members(Places& places, const std::vector<Index>& points, const Values<double>& Y,
                 const Vector<double>& log_weights, double log_unit) {
  const Index n = static_cast<Index>(points.size()), c = Y.cols();
  const auto weight = [&](Index a) { return std::exp(log_weights(points[at(a)]) - log_unit); };
  Vector<double> mass = Vector<double>::Zero(n);
  Matrix<double> sums = Matrix<double>::Zero(n, c);
  const auto add_others = [&](Index first, Index end, Index step) {
    double before = 0;
    Eigen::RowVectorXd sum = Eigen::RowVectorXd::Zero(c);
    for (Index a = first; a != end; a += step) {
      mass(a) += before;
      sums.row(a) += sum;
      before += weight(a);
      sum += weight(a) * Y.row(points[at(a)]);
    }
  };
  add_others(0, n, 1);
  add_others(n - 1, -1, -1);
  for (Index a = 0; a < n; ++a) {
    const Index i = points[at(a)];
    const double own = std::exp(log_rest_of(log_weights(i)) - log_unit);
    mass(a) += own;
    Member member{i, minus_infinity};
    if (mass(a) > 0) {
      member.log_rest = std::log(mass(a)) + log_unit;
      member.rest = n == 1 ? Y.row(i).eval() : ((sums.row(a) + own * Y.row(i)) / mass(a)).eval();
    }
    places.members.push_back(std::move(member));
  }
  places.ends.push_back(static_cast<Index>(places.members.size()));
}

}  // namespace

template <class T> std::vector<Index> place_of_points(const Points<T>& Z, const Vector<double>& log_weights) {
  const std::vector<Index> first_copy = first_copies<T>(Z, log_weights);
  std::vector<Index> place(first_copy.size(), -1);
  Index n_places = 0;
  for (std::size_t i = 0; i < place.size(); ++i)
    if (first_copy[i] >= 0)
      place[i] = first_copy[i] == static_cast<Index>(i) ? n_places++ : place[at(first_copy[i])];
  return place;
}

double log_rest_of(double log_weight) {
  constexpr double rounding = 1e-9;  // a weight of 1 that came out of a division is no weight above 1
  constexpr double large = 40;       // from here on a unit is no part of the weight
  if (!(log_weight > rounding)) return minus_infinity;
  return log_weight > large ? log_weight : std::log(std::expm1(log_weight));
}

bool Places::any_rest() const {
  return std::any_of(members.begin(), members.end(),
                     [](const Member& member) { return member.log_rest > minus_infinity; });
}

Places joined(const Points<double>& Z, const Values<double>& Y, const Vector<double>& log_weights) {
  const std::vector<Index> place = place_of_points<double>(Z, log_weights);
  std::vector<std::vector<Index>> points;
  for (std::size_t i = 0; i < place.size(); ++i) {
    if (place[i] < 0) continue;
    if (place[i] == static_cast<Index>(points.size())) points.emplace_back();
    points[at(place[i])].push_back(static_cast<Index>(i));
  }
  const Index m = static_cast<Index>(points.size());
  Places places{
      Matrix<double>(m, Z.cols()), Matrix<double>::Zero(m, Y.cols()), Vector<double>::Zero(m), {}, {0}};
  for (Index p = 0; p < m; ++p) {
    const std::vector<Index>& copies = points[at(p)];
    const double log_unit = log_weights(copies).maxCoeff();
    double mass = 0;
    for (const Index i : copies) {
      const double weight = std::exp(log_weights(i) - log_unit);
      mass += weight;
      places.targets.row(p) += weight * Y.row(i);
    }
    places.points.row(p) = Z.row(copies.front());
    places.targets.row(p) /= mass;  // by 1 where there are no copies
    places.log_counts(p) = std::log(mass) + log_unit;
    put_members(places, copies, Y, log_weights, log_unit);
  }
  return places;
}

Places apart(const Points<double>& Z, const Values<double>& Y, const Vector<double>& log_weights) {
  Places places{Z, Y, log_weights, {}, {0}};
  for (Index i = 0; i < Z.rows(); ++i) {
    const double log_rest = log_rest_of(log_weights(i));
    places.members.push_back({i, log_rest});
    if (log_rest > minus_infinity) places.members.back().rest = Y.row(i);
    places.ends.push_back(i + 1);
  }
  return places;
}

template std::vector<Index> place_of_points(const Points<float>&, const Vector<double>&);
template std::vector<Index> place_of_points(const Points<double>&, const Vector<double>&);

}  // namespace likewise::bandwidths
