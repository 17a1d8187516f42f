// A value computed at its first use, once, whichever thread asks; a failed computation is tried again.
#pragma once

#include <functional>
#include <mutex>
#include <optional>
#include <utility>

namespace likewise {

template <class V> class Lazy {
 public:
  explicit Lazy(std::function<V()> compute) : compute_(std::move(compute)) {}
  explicit Lazy(V value) : value_(std::move(value)) {}
  Lazy() = default;  ///< each who asks brings the computation

  const V& get() const { return get(compute_); }
  template <class Compute> const V& get(const Compute& compute) const {
    const std::lock_guard lock(lock_);
    if (!value_) value_ = compute();
    return *value_;
  }

  /// The value, where another computation came upon it and none is here yet.
  void offer(V value) const {
    const std::lock_guard lock(lock_);
    if (!value_) value_ = std::move(value);
  }
  bool known() const {
    const std::lock_guard lock(lock_);
    return value_.has_value();
  }

 private:
  std::function<V()> compute_;
  mutable std::mutex lock_;
  mutable std::optional<V> value_;
};

}  // namespace likewise
