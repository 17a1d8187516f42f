#include <likewise/nn/activation.hpp>

#include <cmath>

#include "engine/call.hpp"
#include "engine/parallel.hpp"
#include "engine/simd/gelu.hpp"

namespace likewise::nn {
namespace {

constexpr double half_root = 0.70710678118654752440, inverse_root_2pi = 0.39894228040143267794;

void gelu(float* x, float* slope, Index n) { engine::simd::gelu(x, slope, n); }

void gelu(double* x, double* slope, Index n) {
  for (Index i = 0; i < n; ++i) {
    const double below = 0.5 * std::erfc(-half_root * x[i]);
    slope[i] = below + x[i] * inverse_root_2pi * std::exp(-0.5 * x[i] * x[i]);
    x[i] *= below;
  }
}

template <class T> void relu(T* x, T* slope, Index n) {
  for (Index i = 0; i < n; ++i) {
    slope[i] = x[i] > T(0) ? T(1) : T(0);
    x[i] = x[i] <= T(0) ? T(0) : x[i];  // NaN stays NaN
  }
}

}  // namespace

template <class T>
void activate(Activation activation, Matrix<T>& x, Matrix<T>& slope, const Execution& run) {
  const engine::Call call(run);
  slope.resize(x.rows(), x.cols());
  constexpr Index block_length = 16384;
  const Execution threads = engine::sized(run, 4 * static_cast<double>(x.size()));
  engine::parallel_blocks(engine::block_count(x.size(), block_length), threads, "activating",
                          [&](Index block) {
                            const auto [begin, size] = engine::block_of(block, x.size(), block_length);
                            T *const values = x.data() + begin, *const slopes = slope.data() + begin;
                            if (activation == Activation::gelu)
                              gelu(values, slopes, size);
                            else
                              relu(values, slopes, size);
                          });
}

template void activate(Activation, Matrix<float>&, Matrix<float>&, const Execution&);
template void activate(Activation, Matrix<double>&, Matrix<double>&, const Execution&);

}  // namespace likewise::nn
