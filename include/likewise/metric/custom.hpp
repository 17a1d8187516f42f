#pragma once

#include <functional>
#include <memory>
#include <string>

#include <likewise/error.hpp>
#include <likewise/metric/traits.hpp>

namespace likewise {

/// The user's own cost: fills out(i, j) = c(x_i, z_j) for two blocks of points, called once a tile from
/// several threads at a time. Points and costs are float64 whatever the operator's dtype.
struct TileFunction {
  virtual ~TileFunction() = default;
  virtual void operator()(const Points<double>& x, const Points<double>& z, Tile<double> out) const = 0;
};

struct CustomMetric;
/// Its label and the laws that it declares: "Custom(canberra, symmetric=True, distance_power=1)".
std::string repr(const CustomMetric& metric);

/// A user's own metric with the laws its author declares; equal if it is the same function with the same
/// laws.
struct CustomMetric {
  std::shared_ptr<const TileFunction> function;
  MetricTraits laws;
  std::string label = "custom";

  /// From any callable (Points<double>, Points<double>, Tile<double>) -> void.
  static CustomMetric from(std::function<void(const Points<double>&, const Points<double>&, Tile<double>)> f,
                           MetricTraits laws, std::string label = "custom");

  static constexpr const char* name = "Custom";
  static constexpr const char* formula = "the user's own";
  static constexpr auto fields() { return std::tuple{Field{"label", &CustomMetric::label}}; }
  MetricTraits traits() const { return laws; }
  void check() const;
  static constexpr Widths widths() { return equal_widths; }
  static constexpr std::optional<CoordinateSum> coordinate_sum() { return {}; }

  template <class T> void fill(const Points<T>& x, const Points<T>& z, Tile<T> out) const {
    Matrix<double> costs(x.rows(), z.rows());
    (*function)(x.template cast<double>(), z.template cast<double>(), costs);
    require(!costs.hasNaN(), "metric", "a function that returns no NaN (infinity is far away)", repr(*this));
    out = costs.cast<T>();
  }

  bool operator==(const CustomMetric&) const = default;
};

}  // namespace likewise
