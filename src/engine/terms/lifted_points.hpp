// Points in memory that several owners look at, as they are and lifted.
#pragma once

#include <memory>

#include <likewise/types.hpp>

namespace likewise::engine {

/// Points that an operator, its sources and their copies look at together.
template <class T> using SharedPoints = std::shared_ptr<const Matrix<T>>;

/// What a metric's lift makes of points. Where it leaves them as they are, they are shared: a copy would take as long as
/// checking them.
template <class C> struct LiftedPoints {
  SharedPoints<C> held;
  Vector<C> bias;
  const Matrix<C>& features() const { return *held; }
};

}  // namespace likewise::engine
