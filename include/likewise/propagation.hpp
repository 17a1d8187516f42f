// The list of propagations: what is done with the operator. A new one is a file in propagation/, a line here and its case in
// src/propagate.cpp.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include <likewise/propagation/equilibrium.hpp>
#include <likewise/propagation/heat.hpp>
#include <likewise/propagation/one_step.hpp>
#include <likewise/propagation/spectrum.hpp>
#include <likewise/propagation/steps.hpp>

namespace likewise {

using Propagation = std::variant<OneStep, Steps, Equilibrium, Spectrum, Heat>;

std::string repr(const Propagation& propagation);
/// Throws InvalidArgument naming the field that is not allowed: a negative t or tol, alpha outside of (0, 1), an unknown word.
void validate(const Propagation& propagation);

/// "one_step", "steps", "equilibrium", "spectrum", "heat"
Propagation propagation_from_name(const std::string& name);
const std::vector<std::string>& propagation_names();

}  // namespace likewise
