#pragma once

#include <functional>
#include <memory>

#include <likewise/map/traits.hpp>

namespace likewise::maps {

/// The user's own map: a block of rows in, as many rows out, called for one block after the other. Float64 whatever the
/// points are.
struct RowFunction {
  virtual ~RowFunction() = default;
  virtual Matrix<double> operator()(const Points<double>& x) const = 0;
  virtual bool differentiable() const = 0;
  /// sum_k g_ik dphi_k(x_i)/dx_i, of x's shape.
  virtual Matrix<double> vjp(const Points<double>& x, const Points<double>& g) const = 0;
};

struct Custom;
std::string repr(const Custom& map);

/// A user's own map of points; equal if it is the same function. Without a vjp nothing can be differentiated through it.
struct Custom {
  std::shared_ptr<const RowFunction> function;
  std::string label = "custom";

  using Map = std::function<Matrix<double>(const Points<double>&)>;
  using Vjp = std::function<Matrix<double>(const Points<double>&, const Points<double>&)>;
  static Custom from(Map map, Vjp vjp = {}, std::string label = "custom");

  static constexpr const char* name = "Custom";
  static constexpr const char* formula = "the user's own";
  static constexpr auto fields() { return std::tuple{Field{"label", &Custom::label}}; }
  void check() const;
  Index inputs() const;

  template <class T> Matrix<T> apply(const Points<T>& x) const;
  template <class T> MapGradient<T> vjp(const Points<T>& x, const Points<T>& g) const;

  bool operator==(const Custom&) const = default;
};

}  // namespace likewise::maps
