#include <cmath>
#include <limits>
#include <tuple>
#include <type_traits>

#include <likewise/gradient.hpp>

#include "engine/backward.hpp"
#include "engine/call.hpp"
#include "gradient/edge_gradient.hpp"
#include "gradient/scaling_terms.hpp"
#include "operator/edges.hpp"
#include "operator/state.hpp"
#include "operator/tile_weights.hpp"

namespace likewise {
namespace {

constexpr double minus_infinity = -std::numeric_limits<double>::infinity();

template <class T> using State = detail::OperatorState<T>;

/// log K of the operator's points with its filters, in C.
template <class C, class T> std::shared_ptr<const engine::LogWeights<C>> weights_of(const State<T>& state) {
  if constexpr (std::is_same_v<C, T>)
    if (auto tiles = state.matrix->tiles()) return tiles;
  const PairFilters filters = detail::filters_of(state);
  const auto& keys = state.keys.state().prepared();
  if constexpr (std::is_same_v<C, T>) {
    return make_tile_weights<C>(state.kernel, filters, state.queries, keys);
  } else {
    const auto wide = keys->widened();
    const auto queries = detail::of_one_point_set(state)
                             ? wide->shared()
                             : std::make_shared<const Matrix<C>>(state.queries->template cast<C>());
    return make_tile_weights<C>(state.kernel, filters, queries, wide);
  }
}

/// Terms in another precision, with the numbers they refer to.
template <class C> struct Converted {
  Matrix<C> grad, values;
  engine::BackwardTerms<C> terms;

  template <class T>
  explicit Converted(const engine::BackwardTerms<T>& of)
      : grad(of.grad.template cast<C>()),
        values(of.values.template cast<C>()),
        terms{of.log_left,
              of.log_right,
              grad,
              values,
              of.deduction.template cast<C>(),
              of.row_deduction.template cast<C>(),
              of.key_deduction.template cast<C>(),
              of.by_values,
              of.one_point_set} {}
};

/// The same sums in another precision, read at the points.
template <class T> struct Gathered {
  Matrix<T> values;
  Vector<double> log_key_weights;
  double scale;
  PointGradient<T> points;
};

template <class T, class C> Gathered<T> gathered(engine::BackwardSums<C> sums) {
  PointGradient<C> points;
  if (sums.vjp) points = sums.vjp->take_points();
  if constexpr (std::is_same_v<T, C>)
    return {std::move(sums.values), std::move(sums.log_key_weights), sums.scale, std::move(points)};
  else
    return {
        sums.values.template cast<T>(),
        std::move(sums.log_key_weights),
        sums.scale,
        {points.queries.template cast<T>(), points.keys.template cast<T>(), std::move(points.parameters)}};
}

/// The sums over all pairs, l beside what has been taken out of far rows.
template <class C, class T>
engine::BackwardSums<C> summed(const engine::LogWeights<C>& K, const State<T>& state,
                               engine::BackwardTerms<C> terms, const Execution& run) {
  if (K.row_shift()) terms.log_left = shifted_log_left(K, state.scaling, run);
  return engine::backward<C>(K, terms, run);
}

/// Float32 points get float32 sums where their exponents are right in float32, else float64.
template <class T>
Gathered<T> pairs(const State<T>& state, const engine::BackwardTerms<T>& terms, const Execution& run) {
  if constexpr (std::is_same_v<T, float>) {
    const auto single = weights_of<float>(state);
    const auto exponents = single->exponents();
    if (exponents && std::holds_alternative<engine::LiftedExponents<float>>(*exponents))
      return gathered<T>(summed(*single, state, terms, run));
  }
  return gathered<T>(summed(*weights_of<double>(state), state, Converted<double>(terms).terms, run));
}

template <class T>
Gathered<T> edges(const PropagationOperator<T>& P, const engine::BackwardTerms<T>& terms,
                  const Execution& run) {
  const State<T>& state = P.state();
  State<T> unfiltered = state;
  unfiltered.mechanism.support = AllPairs{};
  return gathered<T>(edge_gradient(P.sparse(run).template cast<double>(),
                                   has_given_weights(state.mechanism.support),
                                   *weights_of<double>(unfiltered), Converted<double>(terms).terms));
}

/// Queries and keys go through one map, or through none.
bool one_map(const Metric& metric) {
  const auto* mapped = std::get_if<Mapped>(&metric);
  return mapped ? !mapped->key_map : !seen(metric).maps();
}

/// Whether some parameter may belong to one side, queries or keys, so that the sum of what points get as both is not enough:
/// of a metric with several of them, or with a map for each.
template <class T> bool tells_sides_apart(const State<T>& state) {
  if (!one_map(state.mechanism.metric)) return true;
  return std::visit([](const auto& leaf) { return std::tuple_size_v<decltype(leaf.fields())> > 1; },
                    state.keys.state().seen.metric);
}

/// The gradient of a metric that a linear map makes, by the names of the map's parameters.
void name_by_map(const Mapped& metric, std::map<std::string, Matrix<double>>& parameters) {
  if (auto factor = parameters.extract("factor")) {
    const auto& map = std::get<maps::Linear>(metric.map);
    parameters["W"] = std::move(factor.mapped());
    if (map.b->size())
      parameters["b"] = Matrix<double>::Zero(1, map.b->size());  // it cancels in a difference
    return;
  }
  auto queries = parameters.extract("query_factor"), keys = parameters.extract("key_factor");
  if (metric.key_map) {
    parameters["query_map.W"] = std::move(queries.mapped());
    parameters["key_map.W"] = std::move(keys.mapped());
  } else {
    parameters["W"] = queries.mapped() + keys.mapped();
  }
}

/// What a parameter of a metric's maps is called, of side "query" or "key", or (side "metric") of what compares mapped points;
/// empty: the metric has no such parameter. Of Mapped those of one map by their own names, of two after "query_map." and
/// "key_map.".
std::string parameter_name(const Metric& metric, const std::string& side, const std::string& name) {
  if (std::holds_alternative<Additive>(metric)) return side == "metric" ? "" : "a_" + side;
  if (std::holds_alternative<AdditiveDynamic>(metric))
    return side == "metric" || name == "b" ? name : side == "query" ? "W_q" : "W_k";
  if (side == "metric") return "metric." + name;
  return one_map(metric) ? name : side + "_map." + name;
}

/// From where a metric sees points back to where they are, and to the parameters of its maps.
template <class T> void through_maps(const State<T>& state, PointGradient<T>& points) {
  const Metric& metric = state.mechanism.metric;
  const detail::KeysState<T>& keys = state.keys.state();
  if (!keys.seen.maps()) {
    if (const auto* mapped = std::get_if<Mapped>(&metric)) name_by_map(*mapped, points.parameters);
    return;
  }
  const PointMap &of_queries = *keys.seen.queries, &of_keys = *keys.seen.keys;
  if (!differentiable(of_queries) || !differentiable(of_keys)) {
    points = {};  // as of a metric without a derivative: values and the temperature have theirs
    return;
  }
  std::map<std::string, Matrix<double>> parameters;
  const auto add = [&](const char* side, const std::string& name, Matrix<double>&& value) {
    const std::string called = parameter_name(metric, side, name);
    if (called.empty()) return;
    Matrix<double>& sum = parameters[called];
    sum = sum.size() ? Matrix<double>(sum + value) : std::move(value);
  };
  for (auto& [name, value] : points.parameters) add("metric", name, std::move(value));
  const auto back = [&](const PointMap& map, const Matrix<T>& at, Matrix<T>& gradient, const char* side) {
    MapGradient<T> found = vjp<T>(map, at, gradient);
    gradient = std::move(found.points);
    for (auto& [name, value] : found.parameters) add(side, name, std::move(value));
  };
  const bool self = detail::of_keys_themselves(state);
  if (self && one_map(metric)) {  // through the map once, with what a point gets as both
    points.queries += points.keys;
    points.keys = Matrix<T>::Zero(keys.given->rows(), keys.given->cols());
    back(of_queries, *keys.given, points.queries, "query");
  } else {
    back(of_queries, self ? *keys.given : *state.given_queries, points.queries, "query");
    back(of_keys, *keys.given, points.keys, "key");
  }
  points.parameters = std::move(parameters);
}

}  // namespace

template <class T>
OperatorGradient<T> vjp(const PropagationOperator<T>& P, const Values<T>& grad_Y, const Values<T>& V,
                        const std::optional<Values<T>>& Y, const Execution& run) {
  const engine::Call call(run);
  const auto check = [&](const char* name, Index rows, Index wanted, const char* of) {
    require(rows == wanted, name,
            "a matrix with " + std::to_string(wanted) + " rows (one for each " + of + ")", rows);
  };
  check("grad_Y", grad_Y.rows(), P.rows(), "query");
  check("V", V.rows(), P.cols(), "key");
  require(grad_Y.cols() == V.cols(), "grad_Y", "of V's " + std::to_string(V.cols()) + " columns",
          grad_Y.cols());
  require(!Y || (Y->rows() == P.rows() && Y->cols() == V.cols()), "Y", "P V, of grad_Y's shape",
          Y ? std::to_string(Y->rows()) + " x " + std::to_string(Y->cols()) : "");

  const State<T>& state = P.state();
  const bool self = detail::of_keys_themselves(state);
  const Matrix<T> computed = Y ? Matrix<T>() : P.apply(V, run);
  ScalingTerms<T> scaling = scaling_terms<T>(P, self, grad_Y, V, Y ? *Y : Values<T>(computed), run);
  scaling.terms.one_point_set = detail::of_one_point_set(state) && !tells_sides_apart(state);
  const bool sparse = is_sparse(state.mechanism.support);
  Gathered<T> found = sparse ? edges(P, scaling.terms, run) : pairs(state, scaling.terms, run);

  OperatorGradient<T> gradient;
  // A row without mass that speaks for its nearest key is in P, but not in exp(log K).
  const bool empty_rows = (P.log_left().array() == minus_infinity).any();
  gradient.values = sparse || empty_rows ? P.apply_transposed(grad_Y, run) : std::move(found.values);
  if (found.points.queries.size()) through_maps(state, found.points);
  if (self) {
    if (found.points.queries.size()) {
      found.points.queries += found.points.keys;
      gradient.points = std::move(found.points.queries);
    }
  } else {
    gradient.queries = std::move(found.points.queries);
    if (right_from(state.mechanism.normalization) == RightFrom::keys)
      return gradient;  // r moves with the keys and the metric
    gradient.keys = std::move(found.points.keys);
  }
  gradient.log_key_weights = found.log_key_weights + scaling.log_key_weights;
  gradient.metric = std::move(found.points.parameters);
  if (std::holds_alternative<Exponential>(state.mechanism.kernel))
    gradient.temperature = found.scale;
  else if (const Bandwidth* h = bandwidth_of(state.mechanism.kernel); h && h->is_number())
    gradient.bandwidth = found.scale;
  return gradient;
}

#define LIKEWISE_INSTANTIATE(T)                                                                       \
  template OperatorGradient<T> vjp(const PropagationOperator<T>&, const Values<T>&, const Values<T>&, \
                                   const std::optional<Values<T>>&, const Execution&);
LIKEWISE_INSTANTIATE(float)
LIKEWISE_INSTANTIATE(double)
#undef LIKEWISE_INSTANTIATE

}  // namespace likewise
