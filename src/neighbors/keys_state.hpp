// What copies of prepared keys share.
#pragma once

#include <memory>
#include <utility>

#include <likewise/prepared_keys.hpp>

#include "neighbors/searched_keys.hpp"

namespace likewise::detail {

template <class T> struct KeysState {
  KeysState(std::shared_ptr<const Vector<double>> weights, engine::SharedKeys<T> points)
      : log_weights(std::move(weights)), searched(std::move(points), true) {}

  std::shared_ptr<const Vector<double>> log_weights;
  neighbors::SearchedKeys<T> searched;

  const engine::SharedKeys<T>& prepared() const { return searched.shared(); }
  const Matrix<T>& points() const { return *prepared()->shared(); }
};

}  // namespace likewise::detail
