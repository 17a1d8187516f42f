#include <cmath>
#include <limits>
#include <optional>
#include <sstream>
#include <type_traits>
#include <utility>

#include <likewise/error.hpp>
#include <likewise/metric.hpp>

#include "names.hpp"
#include "symmetric_eigen.hpp"

namespace likewise {

namespace {

std::string shape(Index rows, Index cols) { return std::to_string(rows) + " x " + std::to_string(cols); }

void require_finite(const char* argument, const Matrix<double>& matrix) {
  require(matrix.allFinite(), argument, "finite", "NaN or infinity");
}

void require_power(const char* argument, int power) {
  require(power >= 0 && power <= 2, argument, "0 (no distance), 1 (a distance) or 2 (its square)", power);
}

const detail::NameTable<Metric>& table() {
  static const detail::NameTable<Metric> metrics = {
      {"sqeuclidean", SquaredEuclidean{}},
      {"squared_euclidean", SquaredEuclidean{}},
      {"euclidean", Euclidean{}},
      {"l2", Euclidean{}},
      {"cosine", Cosine{}},
      {"manhattan", Manhattan{}},
      {"cityblock", Manhattan{}},
      {"l1", Manhattan{}},
      {"chebyshev", Chebyshev{}},
      {"infinity", Chebyshev{}},
      {"minkowski", Minkowski{}},
      {"dot", DotProduct{}},
      {"dot_product", DotProduct{}},
      {"precomputed", Precomputed{}},
  };
  return metrics;
}

// A matrix of six digits is still one: how far, as a share of the largest, entries may differ from their
// mirror image and eigenvalues lie below 0.
constexpr double six_digits = 1e-6;

/// sqrt(M_kk): units in which every feature counts alike, so that none is taken for rounding because its
/// numbers are small. A feature whose M_kk is at most `least` of the largest counts as if it had that one.
Vector<double> units_of(const Matrix<double>& M, double least) {
  const double largest = M.diagonal().maxCoeff();
  if (!(largest > 0)) return Vector<double>::Ones(M.rows());
  return (M.diagonal().array() > least * largest).select(M.diagonal(), largest).cwiseSqrt();
}

/// D^-1 M D^-1 = U diag(s) U^T with these units D.
SymmetricEigen eigen_of(const Matrix<double>& M, const Vector<double>& units) {
  const Vector<double> scale = units.cwiseInverse();
  return SymmetricEigen(scale.asDiagonal() * M * scale.asDiagonal());
}

/// W = diag(sqrt s) U^T D of the eigenvalues that are not rounding; none if some are too far below 0.
std::optional<Matrix<double>> factor_of(const Matrix<double>& M, const Vector<double>& units,
                                        double rounding) {
  const SymmetricEigen eigen = eigen_of(M, units);
  const Vector<double>& s = eigen.eigenvalues();  // ascending
  const double largest = s.cwiseAbs().maxCoeff();
  if (s(0) < -std::max(rounding, six_digits) * largest) return std::nullopt;
  const Index rank = (s.array() > std::max(rounding * largest, -s(0))).count();
  return Matrix<double>(s.tail(rank).cwiseSqrt().asDiagonal()
                        * eigen.eigenvectors().rightCols(rank).transpose() * units.asDiagonal());
}

/// Which law a metric of the user's own, or precomputed costs, would have to declare.
std::string way_to_declare(const Metric& metric, const std::string& law) {
  const bool own = std::holds_alternative<CustomMetric>(metric);
  if (!own && !std::holds_alternative<Precomputed>(metric)) return {};
  if (law.find("distance") != std::string::npos)
    return ", declared by distance_power: 1 where the cost is a distance, 2 where it is the square of one";
  if (own && law.find("triangle") != std::string::npos) return ", declared by triangle_inequality";
  if (own && law.find("symmetric") != std::string::npos) return ", declared by symmetric";
  return {};
}

struct StdTileFunction final : TileFunction {
  using Function = std::function<void(const Points<double>&, const Points<double>&, Tile<double>)>;
  explicit StdTileFunction(Function f) : call(std::move(f)) {}
  void operator()(const Points<double>& x, const Points<double>& z, Tile<double> out) const override {
    call(x, z, out);
  }
  Function call;
};

}  // namespace

std::string repr(const CustomMetric& metric) {
  std::string text = "Custom(" + metric.label;
  const auto add = [&](const char* law, bool holds) {
    if (holds) text += std::string(", ") + law + "=True";
  };
  add("symmetric", metric.laws.symmetric);
  add("zero_on_self", metric.laws.zero_on_self);
  add("triangle_inequality", metric.laws.triangle_inequality);
  add("shift_invariant", metric.laws.shift_invariant);
  if (const int power = metric.laws.distance_power) text += ", distance_power=" + std::to_string(power);
  return text + ")";
}

void Mahalanobis::check() const { require_finite("factor", *factor); }
void Minkowski::check() const { require(p > 0, "p", "above 0", detail::print_number(p)); }
void Bilinear::check() const {
  require_finite("query_factor", *query_factor);
  require_finite("key_factor", *key_factor);
  require(query_factor->rows() == key_factor->rows(), "key_factor",
          "a matrix with as many rows as query_factor (" + std::to_string(query_factor->rows()) + ")",
          shape(key_factor->rows(), key_factor->cols()));
}
void Precomputed::check() const { require_power("distance_power", distance_power); }
void CustomMetric::check() const {
  require(function != nullptr, "function", "a callable (queries, keys, tile)", "none");
  require_power("laws.distance_power", laws.distance_power);
  require(!laws.lifts(), "laws.lift", "nothing: a function fills tiles", "laws of a lift");
  require(!laws.triangle_inequality || laws.distance_power != 0, "laws.triangle_inequality",
          "false where distance_power is 0 (no distance)", "true");
  require(!laws.reports_root || laws.distance_power == 2, "laws.reports_root",
          "false unless distance_power is 2", "true");
}

void Additive::check() const {
  detail::ScoreActivation::named(activation, slope);
  if (a_query->size() + a_key->size() == 0) return;  // open, until something learns it
  require(a_query->size() > 0, "a_query", "a vector (n_features,) beside a_key", "none");
  require(a_key->size() > 0, "a_key", "a vector (n_features,) beside a_query", "none");
  require(a_query->allFinite(), "a_query", "finite", "NaN or infinity");
  require(a_key->allFinite(), "a_key", "finite", "NaN or infinity");
}
MetricTraits Additive::traits() const {
  const bool opposite = a_query->size() == a_key->size() && *a_query == -*a_key;
  return {.symmetric = a_query == a_key || (opposite && detail::ScoreActivation::is_even(activation)),
          .shift_invariant = opposite};
}

void AdditiveDynamic::check() const {
  detail::ScoreActivation::named(activation, slope);
  require_finite("W_q", *W_q);
  require_finite("W_k", *W_k);
  require(a->allFinite(), "a", "finite", "NaN or infinity");
  require(b->allFinite(), "b", "finite", "NaN or infinity");
  if (a->size() + W_q->size() + W_k->size() + b->size() == 0) return;  // open, until something learns it
  const Index rank = a->size();
  require(rank > 0, "a", "a vector with a number for each row of W_q", "none");
  const auto fits = [rank](const Matrix<double>& W) { return W.rows() == rank && W.cols() > 0; };
  const bool both = W_q->size() > 0 || W_k->size() > 0;
  require(b->size() == 0 || (both && b->size() == rank), "b",
          "None, or beside W_q a vector of a's " + std::to_string(rank) + " numbers", b->size());
  require(!both || fits(*W_q), "W_q", "a matrix of a's " + std::to_string(rank) + " rows, beside W_k",
          shape(W_q->rows(), W_q->cols()));
  require(!both || fits(*W_k), "W_k", "a matrix of a's " + std::to_string(rank) + " rows, beside W_q",
          shape(W_k->rows(), W_k->cols()));
}

detail::ScoreActivation detail::ScoreActivation::named(const std::string& name, double slope) {
  require(std::isfinite(slope), "slope", "a finite number", print_number(slope));
  if (name == "leaky_relu") return {Kind::leaky_relu, slope};
  if (name == "relu") return {Kind::leaky_relu, 0};
  if (name == "tanh") return {Kind::tanh, 0};
  require(name == "abs", "activation", "'leaky_relu', 'relu', 'tanh' or 'abs'", quoted(name));
  return {Kind::abs, 0};
}

MetricTraits Mapped::traits() const {
  const MetricTraits of_base = std::visit([](const auto& m) { return m.traits(); }, metric);
  if (!one_map()) return {};
  return {.symmetric = of_base.symmetric,
          .zero_on_self = of_base.zero_on_self,
          .triangle_inequality = of_base.triangle_inequality,
          .shift_invariant = of_base.shift_invariant && std::holds_alternative<maps::Linear>(map),
          .distance_power = of_base.distance_power,
          .reports_root = of_base.reports_root};
}
void Mapped::check() const {
  validate(map);
  if (key_map) validate(*key_map);
  std::visit([](const auto& m) { m.check(); }, metric);
  const Widths wanted = std::visit([](const auto& m) { return m.widths(); }, metric);
  const auto fits = [](Index made, Index read) {
    return made == any_inputs || read == any_inputs || made == read;
  };
  const Index made = outputs(map), of_keys = outputs(map_of_keys());
  require(made == 0 || (fits(made, wanted.queries) && fits(of_keys, wanted.keys)), "metric",
          "one that reads the " + std::to_string(made) + " outputs of the map",
          likewise::repr(Metric(std::visit([](const auto& m) { return Metric(m); }, metric))));
  require(wanted.queries != any_inputs || fits(made, of_keys), "map",
          "two of as many outputs where both are compared",
          std::to_string(made) + " and " + std::to_string(of_keys));
}

template <class T> void Mapped::fill(const Points<T>& x, const Points<T>& z, Tile<T> out) const {
  const Matrix<T> u = apply<T>(map, x), v = apply<T>(map_of_keys(), z);
  std::visit(
      [&]<class M>(const M& m) {
        if constexpr (PointCost<M>) {
          for (Index i = 0; i < u.rows(); ++i)
            for (Index j = 0; j < v.rows(); ++j) out(i, j) = m.template cost<T>(u.row(i), v.row(j));
        } else {
          m.template fill<T>(u, v, out);
        }
      },
      metric);
}
template void Mapped::fill<float>(const Points<float>&, const Points<float>&, Tile<float>) const;
template void Mapped::fill<double>(const Points<double>&, const Points<double>&, Tile<double>) const;

namespace {

/// The metric that a linear map makes: in |W x - W z|^2 a bias cancels, in a product of both sides it does not.
std::optional<Metric> linear_case(const Mapped& metric) {
  const auto* queries = std::get_if<maps::Linear>(&metric.map);
  const auto* keys = std::get_if<maps::Linear>(&metric.map_of_keys());
  if (!queries || !keys) return {};
  if (std::holds_alternative<SquaredEuclidean>(metric.metric) && metric.one_map())
    return Mahalanobis{.factor = queries->W, .reports_square = true};
  if (std::holds_alternative<DotProduct>(metric.metric) && !queries->b->size() && !keys->b->size())
    return Bilinear{queries->W, keys->W};
  return {};
}

}  // namespace

SeenMetric seen(const Metric& metric) {
  if (const auto* additive = std::get_if<Additive>(&metric); additive && additive->a_query->size())
    return seen(additive->dynamic());
  if (const auto* additive = std::get_if<AdditiveDynamic>(&metric); additive && additive->maps())
    return {additive->of_mapped(), maps::Linear{additive->W_q, additive->b}, maps::Linear{additive->W_k}};
  const auto* mapped = std::get_if<Mapped>(&metric);
  if (!mapped) return {metric};
  if (auto linear = linear_case(*mapped)) return {std::move(*linear)};
  return {std::visit([](const auto& base) { return Metric(base); }, mapped->metric), mapped->map,
          mapped->map_of_keys()};
}

MetricTraits traits(const Metric& metric) {
  return std::visit([](const auto& m) { return m.traits(); }, metric);
}

Widths widths(const Metric& metric) {
  return std::visit(
      []<class M>(const M& m) {
        if constexpr (MetricOfPoints<M>)
          return m.widths();
        else
          return equal_widths;
      },
      metric);
}

std::optional<CoordinateSum> coordinate_sum(const Metric& metric) {
  return std::visit(
      []<class M>(const M& m) -> std::optional<CoordinateSum> {
        if constexpr (MetricOfPoints<M>)
          return m.coordinate_sum();
        else
          return {};
      },
      metric);
}

bool points_are_costs(const Metric& metric) {
  return std::visit([]<class M>(const M&) { return GivenCosts<M>; }, metric);
}

std::string repr(const Metric& metric) {
  return std::visit([](const auto& m) { return repr(m); }, metric);
}

void validate(const Metric& metric) {
  std::visit([](const auto& m) { m.check(); }, metric);
}

void require_width(const char* argument, Index width, Index wanted, const Metric& metric) {
  require(wanted > 0 || width == 0, "metric",
          "one that is known (its factor is left open until something learns it)", repr(metric));
  require(width == wanted, argument,
          "an array with " + std::to_string(wanted) + " features for " + repr(metric),
          std::to_string(width) + " features");
}

void require_law(bool holds, const Metric& metric, const std::string& law, const std::string& who) {
  require(holds, "metric", law + " (" + who + " needs it)" + way_to_declare(metric, law), repr(metric));
}

Metric metric_from_name(const std::string& name) {
  if (name == "mahalanobis")
    refuse("metric", "Mahalanobis of a factor, or its from_matrix or from_diagonal: it has parameters",
           detail::quoted(name));
  if (name == "bilinear")
    refuse("metric", "Bilinear(query_factor, key_factor): it has parameters", detail::quoted(name));
  if (name == "additive")
    refuse("metric", "Additive(a_query, a_key) or AdditiveDynamic(W_q, W_k, a): it has parameters",
           detail::quoted(name));
  return detail::value_named(name, "metric", table());
}

const std::vector<std::string>& metric_names() {
  static const std::vector<std::string> names = detail::names_of(table());
  return names;
}

Mahalanobis Mahalanobis::from_matrix(const Points<double>& matrix, double epsilon) {
  const char* argument = "matrix";
  require(matrix.rows() == matrix.cols(), argument, "square (n_features x n_features)",
          shape(matrix.rows(), matrix.cols()));
  require_finite(argument, matrix);
  if (matrix.size() == 0) return {};
  const Matrix<double> M = 0.5 * matrix + 0.5 * matrix.transpose();
  const double rounding = epsilon * static_cast<double>(M.rows());
  const double asymmetry = (matrix - matrix.transpose()).cwiseAbs().maxCoeff();
  require(asymmetry <= std::max(rounding, six_digits) * matrix.cwiseAbs().maxCoeff(), argument, "symmetric",
          "entries that differ from their mirror image by " + detail::print_number(asymmetry));
  // A diagonal entry within rounding is a small feature or, if that makes no matrix, what rounding left of 0.
  for (const double least : {0.0, rounding})
    if (auto factor = factor_of(M, units_of(M, least), rounding)) return {std::move(*factor)};
  const Vector<double> s = eigen_of(M, units_of(M, rounding)).eigenvalues();
  std::ostringstream got;  // six digits, which rounding leaves of them
  got << "eigenvalues from " << s(0) << " to " << s(s.size() - 1) << " where the diagonal is scaled to 1";
  refuse(argument,
         "positive semidefinite (an inverse may need float64 and more rows; a factor W makes Mahalanobis(W))",
         got.str());
}
Mahalanobis Mahalanobis::from_matrix(const Points<float>& matrix) {
  return from_matrix(matrix.cast<double>().eval(), std::numeric_limits<float>::epsilon());
}

Mahalanobis Mahalanobis::from_diagonal(const Eigen::Ref<const Vector<double>>& diagonal) {
  require_finite("diagonal", diagonal);
  require(diagonal.size() == 0 || diagonal.minCoeff() >= 0, "diagonal", "not negative",
          diagonal.size() == 0 ? "" : detail::print_number(diagonal.minCoeff()));
  return {Matrix<double>(diagonal.cwiseSqrt().asDiagonal())};
}

CustomMetric CustomMetric::from(
    std::function<void(const Points<double>&, const Points<double>&, Tile<double>)> f, MetricTraits laws,
    std::string label) {
  CustomMetric metric{f ? std::make_shared<const StdTileFunction>(std::move(f)) : nullptr, laws,
                      std::move(label)};
  metric.check();
  return metric;
}

}  // namespace likewise
