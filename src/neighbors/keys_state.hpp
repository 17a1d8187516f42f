// What copies of prepared keys share.
#pragma once

#include <memory>
#include <utility>

#include <likewise/prepared_keys.hpp>

#include "neighbors/searched_keys.hpp"

namespace likewise::detail {

template <class T> struct KeysState {
  KeysState(Metric asked, SeenMetric seen_metric, engine::SharedPoints<T> keys,
            std::shared_ptr<const Vector<double>> weights)
      : metric(std::move(asked)),
        seen(std::move(seen_metric)),
        given(std::move(keys)),
        log_weights(std::move(weights)),
        searched(std::make_shared<const engine::PreparedPoints<T>>(
                     seen.metric, seen.maps() ? mapped(*seen.keys, *given) : given, *log_weights),
                 true) {}

  Metric metric;
  SeenMetric seen;
  engine::SharedPoints<T> given;  ///< as they came; all below sees them as the metric does
  std::shared_ptr<const Vector<double>> log_weights;
  neighbors::SearchedKeys<T> searched;

  const engine::SharedKeys<T>& prepared() const { return searched.shared(); }
  const Matrix<T>& points() const { return *prepared()->shared(); }

  /// The keys as those who ask.
  engine::SharedPoints<T> asking() const {
    return seen.queries == seen.keys ? prepared()->shared() : mapped(*seen.queries, *given);
  }
  /// Queries X where the metric sees them; without a map the caller's own.
  class SeenQueries {
   public:
    SeenQueries(const KeysState& keys, const Points<T>& X)
        : held_(keys.held(X)), points_(held_ ? Points<T>(*held_) : X) {}
    operator const Points<T>&() const { return points_; }

   private:
    engine::SharedPoints<T> held_;
    Points<T> points_;
  };

 private:
  static engine::SharedPoints<T> mapped(const PointMap& map, const Points<T>& X) {
    return std::make_shared<const Matrix<T>>(apply<T>(map, X));
  }
  engine::SharedPoints<T> held(const Points<T>& X) const {
    if (!seen.maps()) return nullptr;
    return X.data() == given->data() && X.rows() == given->rows() ? asking() : mapped(*seen.queries, X);
  }
};

}  // namespace likewise::detail
