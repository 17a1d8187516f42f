#include "neighbors/lowered_keys.hpp"

#include <mutex>

#include "engine/parallel.hpp"

namespace likewise::neighbors {

double balance(const LiftedPairs& pairs) {
  constexpr Index most = 64;
  const auto mean_square = [](const Lift<double>& lift) {
    return lift.features.squaredNorm() / static_cast<double>(lift.bias.size());
  };
  const double a = mean_square(pairs.lift_queries(0, std::min(most, pairs.n_queries())));
  const double b = mean_square(pairs.lift_keys(0, std::min(most, pairs.n_keys())));
  const double s = std::sqrt(b / a);
  return s > 1e-100 && s < 1e100 ? s : 1;
}

template <class C>
std::shared_ptr<const LoweredKeys<C>> lower_keys(const LiftedPairs& pairs, double s, std::size_t room,
                                                 const Execution& run) {
  constexpr Index lift_block = 512;  // rows that are lifted at a time
  auto keys = std::make_shared<LoweredKeys<C>>();
  keys->s = s;
  keys->n = pairs.n_keys();
  keys->width = pairs.lift_keys(0, 1).features.cols();
  const double bytes =
      static_cast<double>(keys->n) * static_cast<double>((keys->width + 1) * Index(sizeof(C)));
  if (bytes <= static_cast<double>(room)) {
    keys->features = buffer<C>(keys->n * keys->width);
    keys->bias = buffer<C>(keys->n);
  }
  std::mutex lock;
  engine::parallel_blocks(engine::block_count(keys->n, lift_block), run, "lifting points", [&](Index b) {
    const auto [first, size] = engine::block_of(b, keys->n, lift_block);
    const Lift<double> lift = pairs.lift_keys(first, size);
    double most = 0;
    for (Index a = 0; a < size; ++a) {
      const double term = term_size(lift, a, 1 / (2 * s));
      most = std::isfinite(term) ? std::max(most, term) : std::numeric_limits<double>::infinity();
      if (!std::isfinite(most)) break;
    }
    if (keys->features)
      lower<C>(lift, 1 / (2 * s), 0, keys->features.get() + first * keys->width, keys->bias.get() + first);
    const std::lock_guard guard(lock);
    keys->largest_term = std::max(keys->largest_term, most);
  });
  if (!(keys->largest_term < largest_held<C>)) {
    keys->features = nullptr;
    keys->bias = nullptr;
  }
  return keys;
}

template std::shared_ptr<const LoweredKeys<float>> lower_keys(const LiftedPairs&, double, std::size_t,
                                                              const Execution&);
template std::shared_ptr<const LoweredKeys<double>> lower_keys(const LiftedPairs&, double, std::size_t,
                                                               const Execution&);

}  // namespace likewise::neighbors
