// What copies of prepared keys share.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include <likewise/prepared_keys.hpp>

#include "neighbors/searched_keys.hpp"

namespace likewise::detail {

template <class T> struct KeysState {
  KeysState(Metric asked, SeenMetric seen_metric, engine::SharedPoints<T> keys,
            std::shared_ptr<const Vector<double>> weights, const Execution& run)
      : metric(std::move(asked)),
        seen(std::move(seen_metric)),
        given(std::move(keys)),
        log_weights(std::move(weights)),
        searched(std::make_shared<const engine::PreparedPoints<T>>(
                     seen.metric, seen.maps() ? mapped(*seen.keys, *given, run) : given, *log_weights),
                 true) {}

  Metric metric;
  SeenMetric seen;
  engine::SharedPoints<T> given;  ///< as they came; all below sees them as the metric does
  std::shared_ptr<const Vector<double>> log_weights;
  neighbors::SearchedKeys<T> searched;

  const engine::SharedKeys<T>& prepared() const { return searched.shared(); }
  const Matrix<T>& points() const { return *prepared()->shared(); }

  /// The keys as those who ask.
  engine::SharedPoints<T> asking(const Execution& run) const {
    return seen.queries == seen.keys ? prepared()->shared() : mapped(*seen.queries, *given, run);
  }
  /// Queries X where the metric sees them; without a map the caller's own.
  class SeenQueries {
   public:
    SeenQueries(const KeysState& keys, const Points<T>& X, const Execution& run)
        : held_(keys.held(X, run)), points_(held_ ? Points<T>(*held_) : X) {}
    operator const Points<T>&() const { return points_; }

   private:
    engine::SharedPoints<T> held_;
    Points<T> points_;
  };

 private:
  static engine::SharedPoints<T> mapped(const PointMap& map, const Points<T>& X, const Execution& run) {
    const auto require_memory = [&](Index width) {  // the points, and their lift
      run.require_memory(2.0 * sizeof(T) * static_cast<double>(X.rows()) * static_cast<double>(width),
                         "points seen through a map", "map to fewer features, ask fewer points at once",
                         std::to_string(X.rows()) + " x " + std::to_string(width));
    };
    const Index width = outputs(map);
    if (width != any_inputs) require_memory(width);
    auto points = std::make_shared<const Matrix<T>>(apply<T>(map, X));
    if (width == any_inputs) require_memory(points->cols());
    return points;
  }
  engine::SharedPoints<T> held(const Points<T>& X, const Execution& run) const {
    if (!seen.maps()) return nullptr;
    return X.data() == given->data() && X.rows() == given->rows() ? asking(run)
                                                                  : mapped(*seen.queries, X, run);
  }
};

}  // namespace likewise::detail
