#include <likewise/prepared_keys.hpp>

#include <likewise/error.hpp>

#include "checks.hpp"
#include "neighbors/keys_state.hpp"

namespace likewise {

template <class T>
PreparedKeys<T>::PreparedKeys(const Metric& metric, const Points<T>& points,
                              const Vector<double>& log_weights, const Execution& run) {
  check_points<T>("Z", points);
  auto weights = std::make_shared<const Vector<double>>(checked_log_weights(log_weights, points.rows()));
  state_ = std::make_shared<const detail::KeysState<T>>(
      metric, seen(metric), std::make_shared<const Matrix<T>>(points), std::move(weights), run);
}

template <class T> const detail::KeysState<T>& PreparedKeys<T>::state() const {
  require(state_ != nullptr, "keys", "prepared before they are asked", "none");
  return *state_;
}
template <class T> const Metric& PreparedKeys<T>::metric() const { return state().metric; }
template <class T> const Matrix<T>& PreparedKeys<T>::points() const { return *state().given; }
template <class T> const Vector<double>& PreparedKeys<T>::log_weights() const { return *state().log_weights; }

template <class T> std::size_t PreparedKeys<T>::bytes() const {
  if (!state_) return 0;
  const Index mapped = state().seen.maps() ? state().points().size() : 0;
  return static_cast<std::size_t>(points().size() + mapped) * sizeof(T)
         + static_cast<std::size_t>(log_weights().size()) * sizeof(double) + state().prepared()->bytes()
         + state().searched.bytes();
}

template class PreparedKeys<float>;
template class PreparedKeys<double>;

}  // namespace likewise
