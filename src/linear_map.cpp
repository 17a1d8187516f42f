#include <likewise/linear_map.hpp>

#include <cmath>
#include <string>

namespace likewise {
namespace {

template <class T> void require_square(const LinearMap<T>& P, const char* what) {
  require(P.rows() == P.cols(), what, "asked of a square operator",
          std::to_string(P.rows()) + " x " + std::to_string(P.cols()));
}

template <class T> struct PowerMap final : LinearMapStorage<T> {
  LinearMap<T> P;
  int t;

  PowerMap(LinearMap<T> map, int steps) : P(std::move(map)), t(steps) {}
  Index rows() const override { return P.rows(); }
  Index cols() const override { return P.cols(); }
  Matrix<T> apply(const Values<T>& V, const Execution& run) const override {
    Matrix<T> Y = V;
    for (int step = 0; step < t; ++step) Y = P.apply(Y, run);
    return Y;
  }
  Matrix<T> apply_transposed(const Values<T>& V, const Execution& run) const override {
    Matrix<T> Y = V;
    for (int step = 0; step < t; ++step) Y = P.apply_transposed(Y, run);
    return Y;
  }
};

/// exp(-t) sum_k t^k/k! P^k: all terms positive, so nothing cancels; ends where the rest of the Poisson law
/// is below eps.
template <class T> struct HeatMap final : LinearMapStorage<T> {
  LinearMap<T> P;
  double t;

  HeatMap(LinearMap<T> map, double time) : P(std::move(map)), t(time) {}
  Index rows() const override { return P.rows(); }
  Index cols() const override { return P.cols(); }
  Matrix<T> apply(const Values<T>& V, const Execution& run) const override {
    return series(V, [&](const Matrix<T>& Y) { return P.apply(Y, run); });
  }
  Matrix<T> apply_transposed(const Values<T>& V, const Execution& run) const override {
    return series(V, [&](const Matrix<T>& Y) { return P.apply_transposed(Y, run); });
  }

 private:
  template <class Step> Matrix<T> series(const Values<T>& V, const Step& step) const {
    const int n_terms = static_cast<int>(std::ceil(t + 10 * std::sqrt(t) + 20));
    Matrix<T> power = V, sum = Matrix<T>::Zero(V.rows(), V.cols());
    for (int k = 0; k <= n_terms; ++k) {
      const double log_weight = -t + (t > 0 ? k * std::log(t) : (k ? -HUGE_VAL : 0.0)) - std::lgamma(k + 1.0);
      sum += static_cast<T>(std::exp(log_weight)) * power;
      if (k < n_terms) power = step(power);
    }
    return sum;
  }
};

}  // namespace

template <class T> LinearMap<T> power(const LinearMap<T>& P, int t) {
  require_square(P, "power");
  require(t >= 0, "t", "an int >= 0", t);
  return LinearMap<T>(std::make_shared<const PowerMap<T>>(P, t));
}

template <class T> LinearMap<T> heat(const LinearMap<T>& P, double t) {
  require_square(P, "heat");
  require(t >= 0 && std::isfinite(t), "t", "a finite number >= 0", t);
  return LinearMap<T>(std::make_shared<const HeatMap<T>>(P, t));
}

#define LIKEWISE_INSTANTIATE(T)                          \
  template LinearMap<T> power(const LinearMap<T>&, int); \
  template LinearMap<T> heat(const LinearMap<T>&, double);
LIKEWISE_INSTANTIATE(float)
LIKEWISE_INSTANTIATE(double)
#undef LIKEWISE_INSTANTIATE

}  // namespace likewise
