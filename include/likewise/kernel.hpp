// The list of kernels. A new one is a file in kernel/ and a line here.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include <likewise/kernel/alpha_decay.hpp>
#include <likewise/kernel/epanechnikov.hpp>
#include <likewise/kernel/exponential.hpp>
#include <likewise/kernel/gaussian.hpp>
#include <likewise/kernel/indicator.hpp>
#include <likewise/kernel/inverse_distance.hpp>
#include <likewise/kernel/laplacian.hpp>
#include <likewise/kernel/matern32.hpp>
#include <likewise/kernel/matern52.hpp>
#include <likewise/kernel/student_t.hpp>
#include <likewise/kernel/tricube.hpp>

namespace likewise {

using Kernel = std::variant<Gaussian, Exponential, Laplacian, Indicator, Epanechnikov, Tricube, StudentT,
                            AlphaDecay, InverseDistance, Matern32, Matern52>;

KernelTraits traits(const Kernel& kernel);
std::string repr(const Kernel& kernel);

/// The kernel's bandwidth; nullptr where it has none (Exponential, InverseDistance, Indicator on the
/// support).
const Bandwidth* bandwidth_of(const Kernel& kernel);
/// The same kernel with that bandwidth; a kernel without one is returned as it is.
Kernel with_bandwidth(Kernel kernel, const Bandwidth& bandwidth);
/// The number that log_weights wants: the bandwidth's length, the temperature, or 1. Validates the kernel; a
/// bandwidth that is not yet a number is refused.
double scale_of(const Kernel& kernel);
/// Throws InvalidArgument unless temperature, df and decay are positive and finite.
void validate(const Kernel& kernel);

/// What is made of the leaf's expression, for any kernel. log_weights replaces a tile of the kernel's input
/// (see KernelInput) by log weights, O(1) an entry; +inf becomes -inf unless the kernel reads nothing.
template <class T> void log_weights(const Kernel& kernel, Tile<T> input, double scale);
/// The derivative of the log weights log_k by the input, in place; 0 beyond a compact kernel. A kernel that ends reads
/// log_k, so that weight times slope is bounded however near the edge it was rounded.
template <class T> void log_slopes(const Kernel& kernel, Tile<T> input, const Points<T>& log_k, double scale);
double log_phi(const Kernel& kernel, double input, double scale);
double weight(const Kernel& kernel, double input, double scale);
/// The r of a kernel exp(-r u) of its input u; 0 of another.
double decay_rate(const Kernel& kernel, double scale);
/// A bound on |d log phi / du|; infinity where every digit of u counts.
double steepest_slope(const Kernel& kernel, double scale);
/// The length where it is no bandwidth but a temperature, in the unit of the cost (Exponential); else nullptr.
const double* temperature_of(const Kernel& kernel);
/// Whether rounding of the input may decide if a pair counts at all: kernels that end at their bandwidth, and 1/d.
bool has_edge(const Kernel& kernel);
/// log phi of one distance d of such a kernel (as its metric reports it, of 1/d), to all digits about the edge.
double log_weight_at(const Kernel& kernel, double d, double scale);
/// log of the integral of phi(|x|) over R^d: what divides a kernel density. Infinite where there is none.
double log_integral(const Kernel& kernel, Index d, double scale);

/// The kernel of that name: "gaussian" ("rbf"), "exponential", "laplacian", "indicator" ("flat", "tophat",
/// "uniform"), "epanechnikov", "tricube", "student_t", "alpha_decay", "inverse_distance", "matern32",
/// "matern52". An unknown name is refused with the list.
Kernel kernel_from_name(const std::string& name);
const std::vector<std::string>& kernel_names();

}  // namespace likewise
