#include <algorithm>
#include <cmath>
#include <numbers>
#include <utility>

#include <likewise/error.hpp>
#include <likewise/map.hpp>

namespace likewise {
namespace {

std::string shape(Index rows, Index cols) { return std::to_string(rows) + " x " + std::to_string(cols); }

template <class Array> void require_numbers(const char* argument, const Array& array) {
  require(array.allFinite(), argument, "finite", "NaN or infinity");
}

void require_bias(const char* argument, const Vector<double>& bias, const char* matrix, Index rows) {
  require(bias.size() == 0 || bias.size() == rows, argument,
          "None or of length " + std::to_string(rows) + " (one for each row of " + matrix + ")",
          "length " + std::to_string(bias.size()));
  require_numbers(argument, bias);
}

void require_activation(const std::string& activation) {
  require(activation == "tanh" || activation == "relu" || activation == "gelu", "activation",
          "'tanh', 'relu' or 'gelu'", "'" + activation + "'");
}

/// f and f' of each entry; `with_slope` false leaves slope alone.
template <class T> struct Bent { Matrix<T> value, slope; };

template <class T> Bent<T> bend(const std::string& activation, Matrix<T> x, bool with_slope) {
  Bent<T> bent;
  if (activation == "tanh") {
    bent.value = x.array().tanh();
    if (with_slope) bent.slope = T(1) - bent.value.array().square();
  } else if (activation == "relu") {
    bent.value = x.cwiseMax(T(0));
    if (with_slope) bent.slope = (x.array() > T(0)).template cast<T>();
  } else {
    const auto normal = [](T u) { return T(0.5) * std::erfc(-u * T(std::numbers::sqrt2 / 2)); };
    const Matrix<T> phi = x.unaryExpr(normal);
    bent.value = x.cwiseProduct(phi);
    if (with_slope)
      bent.slope = phi.array()
                   + x.array() * (x.array().square() * T(-0.5)).exp()
                         * T(std::numbers::inv_sqrtpi / std::numbers::sqrt2);
  }
  return bent;
}

template <class T> Matrix<T> hidden(const maps::ResidualMLP& map, const Points<T>& x) {
  return maps::Linear{map.W1, map.b1}.apply<T>(x);
}

class StdRowFunction final : public maps::RowFunction {
 public:
  StdRowFunction(maps::Custom::Map map, maps::Custom::Vjp vjp) : map_(std::move(map)), vjp_(std::move(vjp)) {}
  Matrix<double> operator()(const Points<double>& x) const override { return map_(x); }
  bool differentiable() const override { return static_cast<bool>(vjp_); }
  Matrix<double> vjp(const Points<double>& x, const Points<double>& g) const override { return vjp_(x, g); }

 private:
  maps::Custom::Map map_;
  maps::Custom::Vjp vjp_;
};

/// Rows whose hidden units are in memory at a time.
constexpr Index hidden_rows = 1024;

/// A user's function meets this many rows at once: enough to hide the call, little enough for the memory.
constexpr Index custom_block = 4096;

}  // namespace

namespace maps {

void Linear::check() const {
  if (*this == Linear{}) return;  // open, until something learns it
  require(W->rows() > 0 && W->cols() > 0, "W", "a matrix (outputs, inputs)", shape(W->rows(), W->cols()));
  require_numbers("W", *W);
  require_bias("b", *b, "W", W->rows());
}

void ResidualMLP::check() const {
  if (W1->size() + W2->size() + skip->size() + b1->size() + b2->size() == 0)
    return require_activation(activation);
  require(W1->rows() > 0 && W1->cols() > 0, "W1", "a matrix (width, inputs)", shape(W1->rows(), W1->cols()));
  require_numbers("W1", *W1);
  require_bias("b1", *b1, "W1", W1->rows());
  require(skip->size() == 0 || skip->cols() == W1->cols(), "skip",
          "None or a matrix (outputs, " + std::to_string(W1->cols()) + ")",
          shape(skip->rows(), skip->cols()));
  require_numbers("skip", *skip);
  require(W2->rows() == outputs() && W2->cols() == W1->rows(), "W2",
          shape(outputs(), W1->rows()) + " beside W1 of " + shape(W1->rows(), W1->cols()),
          shape(W2->rows(), W2->cols()));
  require_numbers("W2", *W2);
  require_bias("b2", *b2, "W2", W2->rows());
  require_activation(activation);
}

template <class T> Matrix<T> ResidualMLP::apply(const Points<T>& x) const {
  Matrix<T> mapped(x.rows(), outputs());
  for (Index begin = 0; begin < x.rows(); begin += hidden_rows) {
    const Points<T> rows = x.middleRows(begin, std::min(hidden_rows, x.rows() - begin));
    auto of_rows = mapped.middleRows(begin, rows.rows());
    of_rows = Linear{W2, b2}.apply<T>(bend<T>(activation, hidden<T>(*this, rows), false).value);
    if (skip->size())
      of_rows += Linear{skip}.apply<T>(rows);
    else
      of_rows += rows;
  }
  return mapped;
}

template <class T> MapGradient<T> ResidualMLP::vjp(const Points<T>& x, const Points<T>& g) const {
  const Bent<T> bent = bend<T>(activation, hidden<T>(*this, x), true);
  MapGradient<T> outer = Linear{W2, b2}.vjp<T>(bent.value, g);
  MapGradient<T> inner = Linear{W1, b1}.vjp<T>(x, outer.points.cwiseProduct(bent.slope));
  MapGradient<T> found{std::move(inner.points), {}};
  if (skip->size()) {
    MapGradient<T> around = Linear{skip}.vjp<T>(x, g);
    found.points += around.points;
    found.parameters["skip"] = std::move(around.parameters["W"]);
  } else {
    found.points += g;
  }
  for (const auto& [layer, gradient] : {std::pair{"1", &inner}, std::pair{"2", &outer}})
    for (auto& [name, value] : gradient->parameters)
      found.parameters[name + std::string(layer)] = std::move(value);
  return found;
}

std::string repr(const Custom& map) { return "Custom(" + map.label + ")"; }

Custom Custom::from(Map map, Vjp vjp, std::string label) {
  Custom made{map ? std::make_shared<const StdRowFunction>(std::move(map), std::move(vjp)) : nullptr,
              std::move(label)};
  made.check();
  return made;
}

void Custom::check() const {
  require(function != nullptr, "function", "a callable (rows) -> mapped rows", "none");
}
Index Custom::inputs() const { return any_inputs; }

template <class T> Matrix<T> Custom::apply(const Points<T>& x) const {
  Matrix<T> mapped;
  for (Index begin = 0; begin < x.rows() || begin == 0; begin += custom_block) {
    const Index n = std::min(custom_block, x.rows() - begin);
    const Matrix<double> block = (*function)(x.middleRows(begin, n).template cast<double>());
    if (begin == 0) mapped.resize(x.rows(), block.cols());
    require(block.rows() == n && block.cols() == mapped.cols(), "map",
            "a function that returns " + shape(n, mapped.cols()) + " for " + std::to_string(n) + " rows",
            shape(block.rows(), block.cols()));
    mapped.middleRows(begin, n) = block.template cast<T>();
  }
  return mapped;
}

template <class T> MapGradient<T> Custom::vjp(const Points<T>& x, const Points<T>& g) const {
  require(function->differentiable(), "map", "one with a vjp where derivatives are asked for",
          likewise::maps::repr(*this));
  Matrix<T> points(x.rows(), x.cols());
  for (Index begin = 0; begin < x.rows(); begin += custom_block) {
    const Index n = std::min(custom_block, x.rows() - begin);
    const Matrix<double> block = function->vjp(x.middleRows(begin, n).template cast<double>(),
                                               g.middleRows(begin, n).template cast<double>());
    require(block.rows() == n && block.cols() == x.cols(), "map",
            "one whose vjp returns " + shape(n, x.cols()), shape(block.rows(), block.cols()));
    points.middleRows(begin, n) = block.template cast<T>();
  }
  return {std::move(points), {}};
}

}  // namespace maps

std::string repr(const PointMap& map) {
  return std::visit([](const auto& m) { return repr(m); }, map);
}
void validate(const PointMap& map) {
  std::visit([](const auto& m) { m.check(); }, map);
}
Index inputs(const PointMap& map) {
  return std::visit([](const auto& m) { return m.inputs(); }, map);
}

Index outputs(const PointMap& map) {
  return std::visit(
      []<class M>(const M& m) -> Index {
        if constexpr (std::is_same_v<M, maps::Linear>)
          return m.W->rows();
        else if constexpr (std::is_same_v<M, maps::ResidualMLP>)
          return m.outputs();
        else
          return any_inputs;
      },
      map);
}
bool differentiable(const PointMap& map) {
  const auto* custom = std::get_if<maps::Custom>(&map);
  return !custom || (custom->function && custom->function->differentiable());
}

template <class T> Matrix<T> apply(const PointMap& map, const Points<T>& X) {
  const Index wanted = inputs(map);
  require(wanted != 0, "map", "one that is known (it is left open until something learns it)", repr(map));
  require(wanted == any_inputs || X.cols() == wanted, "X",
          "an array with " + std::to_string(wanted) + " features for " + repr(map),
          std::to_string(X.cols()) + " features");
  Matrix<T> mapped = std::visit([&](const auto& m) { return m.template apply<T>(X); }, map);
  const bool finite = mapped.allFinite();
  require(finite || X.allFinite(), "X", "finite", "NaN or infinity");
  require(mapped.cols() > 0 && finite, "map", "one that sends points to finite numbers",
          mapped.cols() ? "NaN or infinity from " + repr(map) : "no columns from " + repr(map));
  return mapped;
}

template <class T> MapGradient<T> vjp(const PointMap& map, const Points<T>& X, const Points<T>& g) {
  return std::visit([&](const auto& m) { return m.template vjp<T>(X, g); }, map);
}

static_assert(MapValue<maps::Linear> && MapValue<maps::ResidualMLP> && MapValue<maps::Custom>);

#define LIKEWISE_INSTANTIATE(T)                                                             \
  template Matrix<T> maps::ResidualMLP::apply(const Points<T>&) const;                      \
  template MapGradient<T> maps::ResidualMLP::vjp(const Points<T>&, const Points<T>&) const; \
  template Matrix<T> maps::Custom::apply(const Points<T>&) const;                           \
  template MapGradient<T> maps::Custom::vjp(const Points<T>&, const Points<T>&) const;      \
  template Matrix<T> apply(const PointMap&, const Points<T>&);                              \
  template MapGradient<T> vjp(const PointMap&, const Points<T>&, const Points<T>&);
LIKEWISE_INSTANTIATE(float)
LIKEWISE_INSTANTIATE(double)
#undef LIKEWISE_INSTANTIATE

}  // namespace likewise
