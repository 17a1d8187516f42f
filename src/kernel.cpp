#include <stdexcept>

#include <likewise/error.hpp>
#include <likewise/kernel.hpp>

#include "names.hpp"

namespace likewise {

namespace {

void require_positive(const char* argument, double value) {
  require(value > 0 && std::isfinite(value), argument, "a positive, finite number",
          detail::print_number(value));
}

void check(const Exponential& kernel) { require_positive("temperature", kernel.temperature); }
void check(const StudentT& kernel) { require_positive("df", kernel.df); }
void check(const AlphaDecay& kernel) { require_positive("decay", kernel.decay); }
template <class K> void check(const K&) {}  // a Bandwidth has checked itself

const detail::NameTable<Kernel>& table() {
  static const detail::NameTable<Kernel> kernels = {
      {"gaussian", Gaussian{}},
      {"rbf", Gaussian{}},
      {"exponential", Exponential{}},
      {"laplacian", Laplacian{}},
      {"indicator", Indicator{}},
      {"flat", Indicator{}},
      {"tophat", Indicator{}},
      {"uniform", Indicator{}},
      {"epanechnikov", Epanechnikov{}},
      {"tricube", Tricube{}},
      {"student_t", StudentT{}},
      {"alpha_decay", AlphaDecay{}},
      {"inverse_distance", InverseDistance{}},
  };
  return kernels;
}

}  // namespace

KernelTraits traits(const Kernel& kernel) {
  return std::visit([](const auto& k) { return k.traits(); }, kernel);
}

std::string repr(const Kernel& kernel) {
  return std::visit([](const auto& k) { return repr(k); }, kernel);
}

void validate(const Kernel& kernel) {
  std::visit([](const auto& k) { check(k); }, kernel);
}

const Bandwidth* bandwidth_of(const Kernel& kernel) {
  if (traits(kernel).input == KernelInput::nothing) return nullptr;
  return std::visit(
      [](const auto& k) -> const Bandwidth* {
        if constexpr (requires { k.bandwidth; })
          return &k.bandwidth;
        else
          return nullptr;
      },
      kernel);
}

Kernel with_bandwidth(Kernel kernel, const Bandwidth& bandwidth) {
  if (bandwidth_of(kernel) == nullptr) return kernel;
  std::visit(
      [&](auto& k) {
        if constexpr (requires { k.bandwidth; }) k.bandwidth = bandwidth;
      },
      kernel);
  return kernel;
}

double scale_of(const Kernel& kernel) {
  validate(kernel);
  if (const auto* exponential = std::get_if<Exponential>(&kernel)) return exponential->temperature;
  const Bandwidth* bandwidth = bandwidth_of(kernel);
  if (bandwidth == nullptr) return 1;
  require(bandwidth->is_number(), "bandwidth", "a number here (select_bandwidth finds one)", *bandwidth);
  return bandwidth->length();
}

template <class T> void log_weights(const Kernel& kernel, Tile<T> input, double scale) {
  const T h = detail::usable_scale<T>(scale);
  std::visit([&](const auto& k) { k.template log_weights<T>(input, h); }, kernel);
}
template void log_weights<float>(const Kernel&, Tile<float>, double);
template void log_weights<double>(const Kernel&, Tile<double>, double);

template <class T>
void log_slopes(const Kernel& kernel, Tile<T> input, const Points<T>& log_k, double scale) {
  const T h = detail::usable_scale<T>(scale);
  std::visit([&](const auto& k) { k.template log_slopes<T>(input, log_k, h); }, kernel);
}
template void log_slopes<float>(const Kernel&, Tile<float>, const Points<float>&, double);
template void log_slopes<double>(const Kernel&, Tile<double>, const Points<double>&, double);

double weight(const Kernel& kernel, double input, double scale) {
  return std::visit([&](const auto& k) { return k.weight(input, scale); }, kernel);
}

bool has_edge(const Kernel& kernel) {
  const KernelTraits laws = traits(kernel);
  return laws.compact || laws.infinite_on_self;
}

double log_weight_at(const Kernel& kernel, double d, double scale) {
  return std::visit(
      [&](const auto& k) -> double {
        if constexpr (requires { k.log_weight_at(d, scale); })
          return k.log_weight_at(d, scale);
        else
          throw std::logic_error("a kernel without an edge");
      },
      kernel);
}

double log_integral(const Kernel& kernel, Index d, double scale) {
  return std::visit([&](const auto& k) { return k.log_integral(d, scale); }, kernel);
}

Kernel kernel_from_name(const std::string& name) { return detail::value_named(name, "kernel", table()); }

const std::vector<std::string>& kernel_names() {
  static const std::vector<std::string> names = detail::names_of(table());
  return names;
}

}  // namespace likewise
