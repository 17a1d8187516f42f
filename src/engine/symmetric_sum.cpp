#include "engine/symmetric_sum.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "engine/parallel.hpp"
#include "engine/simd/panel_sum.hpp"
#include "engine/simd/panel_symmetric.hpp"
#include "hwy/aligned_allocator.h"

namespace likewise::engine {
namespace {

constexpr Index most_blocks = 24, least_blocks = 6, least_panels_of_block = 3;
constexpr Index least_width = 48;  // of points, from which on several columns gain
constexpr double log2_e = std::numbers::log2e;
constexpr double largest_spread = 60;  // of key weights, to the base 2; they end up around 1

Index block_rows(Index n, Index lanes) {
  const Index panels = block_count(n, lanes);
  return std::max(least_panels_of_block, block_count(panels, most_blocks)) * lanes;
}

template <class C> Index lanes_of() { return simd::panel_lanes(sizeof(C) == 4); }

template <class C> hwy::AlignedFreeUniquePtr<C[]> zeros(Index n) {
  auto memory = hwy::AllocateAligned<C>(static_cast<std::size_t>(n + 1));
  std::fill_n(memory.get(), n, C(0));
  return memory;
}

}  // namespace

template <class C>
bool symmetric_sum_serves(const LiftedExponents<C>& e, const Vector<double>& key_bias, Index n_columns) {
  const Index n = e.keys->features().rows();
  if (!e.symmetric || e.upper_bound > 0 || n < least_blocks * least_panels_of_block * lanes_of<C>())
    return false;
  if (n_columns > 1 && e.keys->features().cols() < least_width) return false;
  return (key_bias.maxCoeff() - key_bias.minCoeff()) * log2_e <= largest_spread;
}

template <class C>
Partial<C> symmetric_sum(const LiftedExponents<C>& e, const Vector<double>& key_bias, const Values<C>& V,
                         const Execution& run) {
  const Index n = e.keys->features().rows(), width = e.keys->features().cols(), lanes = lanes_of<C>();
  const double factor = e.scale * log2_e;
  // 1 is in the middle of the weights' range.
  const double shared = 0.5 * (key_bias.maxCoeff() + key_bias.minCoeff());
  const Vector<C> query_bias = (-factor * e.queries->bias.template cast<double>()).template cast<C>(),
                  bias = (-factor * e.keys->bias.template cast<double>()).template cast<C>(),
                  weight = (key_bias.array() - shared).exp().template cast<C>();
  const Index stride = simd::value_stride<C>(V.cols());
  const auto values = zeros<C>(n * stride), sums = zeros<C>(n * stride);
  const auto columns = [&](C* memory) {
    return Eigen::Map<Matrix<C>, 0, Eigen::OuterStride<>>(memory, n, V.cols(), Eigen::OuterStride<>(stride));
  };
  columns(values.get()) = V.array().colwise() * weight.array();
  Vector<C> mass = Vector<C>::Zero(n);
  const simd::SymmetricPoints<C> points{.queries = e.queries->features().data(),
                                        .query_scale = static_cast<C>(factor),
                                        .query_bias = query_bias.data(),
                                        .keys = e.keys->features().data(),
                                        .key_bias = bias.data(),
                                        .width = width,
                                        .factor = weight.data(),
                                        .values = values.get(),
                                        .n_columns = V.cols(),
                                        .stride = stride,
                                        .mass = mass.data(),
                                        .sums = sums.get()};
  const Index size = block_rows(n, lanes), n_blocks = block_count(n, size) | 1;
  const auto range = [&](Index block) {
    const Index begin = std::min(block * size, n);
    return simd::Range{begin, std::min(size, n - begin)};
  };
  const Execution threads = sized(
      run, static_cast<double>(n) * static_cast<double>(n) * static_cast<double>(width + V.cols() + 8) / 64);
  const auto pair = [n_blocks](Index r, Index i) { return meeting_of(n_blocks, r, i); };
  parallel_rounds(n_blocks, n_blocks / 2 + 1, n_blocks, threads, "propagating", pair, [&](Index r, Index i) {
    const Items meet = pair(r, i);
    simd::sum_symmetric<C>(points, range(meet.first), range(meet.second), i > 0);
  });
  return {Vector<double>::Constant(n, shared), mass.template cast<double>(), columns(sums.get())};
}

template bool symmetric_sum_serves(const LiftedExponents<float>&, const Vector<double>&, Index);
template bool symmetric_sum_serves(const LiftedExponents<double>&, const Vector<double>&, Index);
template Partial<float> symmetric_sum(const LiftedExponents<float>&, const Vector<double>&,
                                      const Values<float>&, const Execution&);
template Partial<double> symmetric_sum(const LiftedExponents<double>&, const Vector<double>&,
                                       const Values<double>&, const Execution&);

}  // namespace likewise::engine
