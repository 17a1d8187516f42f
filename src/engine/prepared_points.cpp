#include "engine/prepared_points.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>
#include <variant>

#include "engine/center.hpp"

namespace likewise::engine {

namespace {

/// Empty where the metric's lift needs none.
template <class T>
Vector<double> center_for(const Metric& metric, const Points<T>& points, const Vector<double>& log_weights) {
  const MetricTraits laws = traits(metric);
  return laws.lifts() && laws.shift_invariant ? center_of<T>(points, log_weights) : Vector<double>();
}

}  // namespace

template <class T>
PreparedPoints<T>::PreparedPoints(const Metric& metric, SharedPoints<T> points,
                                  const Vector<double>& log_weights)
    : metric_(metric),
      shared_(std::move(points)),
      points_(*shared_),
      center_(center_for<T>(metric, points_, log_weights)) {}

template <class T>
PreparedPoints<T>::PreparedPoints(const Metric& metric, const Points<T>& points)
    : metric_(metric), points_(points), center_(center_for<T>(metric, points_, {})) {}

template <class T> double PreparedPoints<T>::largest_coordinate() const {
  const std::lock_guard guard(sizes_lock_);
  if (!largest_coordinate_)
    largest_coordinate_ = points_.size() ? static_cast<double>(points_.cwiseAbs().maxCoeff()) : 0;
  return *largest_coordinate_;
}

template <class T> double PreparedPoints<T>::largest_norm() const {
  const std::lock_guard guard(sizes_lock_);
  if (!largest_norm_) largest_norm_ = engine::largest_norm<T>(points_, center_);
  return *largest_norm_;
}

template <class T> std::shared_ptr<const PreparedPoints<double>> PreparedPoints<T>::widened() const {
  const std::lock_guard guard(widened_lock_);
  if (auto held = widened_.lock()) return held;
  auto wide = std::make_shared<PreparedPoints<double>>(
      metric_, std::make_shared<const Matrix<double>>(points_.template cast<double>()));
  wide->center_ = center_;  // of the points that count
  widened_ = wide;
  return wide;
}

template <class T> template <class C> LiftedKeys<C> PreparedPoints<T>::lift() const {
  LiftedKeys<C> made;
  made.lift = std::visit(
      [&](const auto& leaf) -> LiftedPoints<C> {
        using M = std::decay_t<decltype(leaf)>;
        if constexpr (LiftedMetric<M>)
          return lifted_at<T, C>(leaf, shared_, center_,
                                 [&](const Points<C>& z) { return leaf.template lift_keys<C>(z); });
        else
          throw std::logic_error("a metric without a lift");
      },
      metric_);
  const Matrix<C>& features = made.lift.features();
  if (features.size()) made.largest.norm = features.rowwise().norm().maxCoeff();
  if (made.lift.bias.size()) made.largest.bias = made.lift.bias.cwiseAbs().maxCoeff();
  return made;
}

template <class T> template <class C> bool PreparedPoints<T>::worth_keeping(const LiftedKeys<C>& made) const {
  constexpr std::size_t little = 8 << 20;
  const auto bytes = [](const auto& matrix) {
    return static_cast<std::size_t>(matrix.size()) * sizeof(matrix.coeff(0));
  };
  return static_cast<const void*>(made.lift.held.get()) == static_cast<const void*>(shared_.get())
         || bytes(made.lift.features()) <= std::max(bytes(points_), little);
}

template <class T> template <class C> std::shared_ptr<const LiftedKeys<C>> PreparedPoints<T>::lifted() const {
  Slot<C>& slot = this->slot<C>();
  const std::lock_guard guard(slot.lock);
  if (auto held = slot.kept ? slot.kept : slot.in_use.lock()) return held;
  const auto made = std::make_shared<const LiftedKeys<C>>(lift<C>());
  slot.largest = made->largest;
  slot.in_use = made;
  if (worth_keeping(*made)) slot.kept = made;
  return made;
}

template <class T> template <class C> LargestTerms<C> PreparedPoints<T>::largest() const {
  {
    const std::lock_guard guard(slot<C>().lock);
    if (slot<C>().largest) return *slot<C>().largest;
  }
  return lifted<C>()->largest;
}

template <class T> template <class C> void PreparedPoints<T>::forget() const {
  const std::lock_guard guard(slot<C>().lock);
  slot<C>().kept = nullptr;
}

template <class T> std::size_t PreparedPoints<T>::bytes() const {
  const auto of_slot = [this]<class C>(Slot<C>& slot) -> std::size_t {
    const std::lock_guard guard(slot.lock);
    if (!slot.kept) return 0;
    const bool own =
        static_cast<const void*>(slot.kept->lift.held.get()) != static_cast<const void*>(shared_.get());
    return sizeof(C)
           * static_cast<std::size_t>((own ? slot.kept->lift.features().size() : 0)
                                      + slot.kept->lift.bias.size());
  };
  return of_slot(single_) + of_slot(precise_);
}

template class PreparedPoints<float>;
template class PreparedPoints<double>;
#define LIKEWISE_INSTANTIATE(T, C)                                                    \
  template std::shared_ptr<const LiftedKeys<C>> PreparedPoints<T>::lifted<C>() const; \
  template LargestTerms<C> PreparedPoints<T>::largest<C>() const;                     \
  template void PreparedPoints<T>::forget<C>() const;
LIKEWISE_INSTANTIATE(float, float)
LIKEWISE_INSTANTIATE(float, double)
LIKEWISE_INSTANTIATE(double, double)
#undef LIKEWISE_INSTANTIATE

}  // namespace likewise::engine
