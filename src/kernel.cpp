#include <stdexcept>

#include <likewise/error.hpp>
#include <likewise/kernel.hpp>

#include "names.hpp"

namespace likewise {

namespace {

constexpr expressions::Input u{};

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
      {"matern32", Matern32{}},
      {"matern52", Matern52{}},
  };
  return kernels;
}

}  // namespace

void detail::require_positive(const char* argument, double value) {
  require(value > 0 && std::isfinite(value), argument, "a positive, finite number",
          detail::print_number(value));
}

KernelTraits traits(const Kernel& kernel) {
  return std::visit([](const auto& k) { return k.traits(); }, kernel);
}

std::string repr(const Kernel& kernel) {
  return std::visit([](const auto& k) { return repr(k); }, kernel);
}

void validate(const Kernel& kernel) {
  std::visit([](const auto& k) { k.check(); }, kernel);
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

const double* temperature_of(const Kernel& kernel) {
  return std::visit(
      [](const auto& k) -> const double* {
        if constexpr (requires { k.temperature; })
          return &k.temperature;
        else
          return nullptr;
      },
      kernel);
}

double scale_of(const Kernel& kernel) {
  validate(kernel);
  if (const double* temperature = temperature_of(kernel)) return *temperature;
  const Bandwidth* bandwidth = bandwidth_of(kernel);
  if (bandwidth == nullptr) return 1;
  require(bandwidth->is_number(), "bandwidth", "a number here (select_bandwidth finds one)", *bandwidth);
  return bandwidth->length();
}

template <class T> void log_weights(const Kernel& kernel, Tile<T> input, double scale) {
  const T h = detail::usable_scale<T>(scale);
  std::visit([&](const auto& k) { expressions::replace<T>(k.log_phi(u, h), input, input); }, kernel);
}
template void log_weights<float>(const Kernel&, Tile<float>, double);
template void log_weights<double>(const Kernel&, Tile<double>, double);

template <class T>
void log_slopes(const Kernel& kernel, Tile<T> input, const Points<T>& log_k, double scale) {
  const T h = detail::usable_scale<T>(scale);
  std::visit(
      [&](const auto& k) {
        if constexpr (requires { k.log_slope(u, 1.0); })
          expressions::replace<T>(k.log_slope(u, h), input, log_k);
        else
          expressions::replace<T>(expressions::slope(k.log_phi(u, h)), input, log_k);
      },
      kernel);
}
template void log_slopes<float>(const Kernel&, Tile<float>, const Points<float>&, double);
template void log_slopes<double>(const Kernel&, Tile<double>, const Points<double>&, double);

double log_phi(const Kernel& kernel, double input, double scale) {
  return std::visit([&](const auto& k) { return expressions::value(k.log_phi(u, scale), input); }, kernel);
}

double weight(const Kernel& kernel, double input, double scale) {
  return std::exp(log_phi(kernel, input, scale));
}

double decay_rate(const Kernel& kernel, double scale) {
  return std::visit([&](const auto& k) { return -expressions::rate(k.log_phi(u, scale)); }, kernel);
}

double steepest_slope(const Kernel& kernel, double scale) {
  return std::visit(
      [&](const auto& k) -> double {
        if constexpr (requires { k.steepest(scale); })
          return k.steepest(scale);
        else
          return detail::infinity;
      },
      kernel);
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
          return log_phi(kernel, traits(kernel).input == KernelInput::squared_distance ? d * d : d, scale);
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
