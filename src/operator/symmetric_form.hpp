// The symmetric form of a self-operator, in a storage of the caller's choice.
#pragma once

#include <memory>
#include <string>

#include <likewise/operator.hpp>

namespace likewise {

/// D P D^-1 = sqrt(l_i r_i) K_ij sqrt(l_j r_j). Refuses, naming the missing law, where the kernel is not
/// symmetric.
template <class T>
std::shared_ptr<const LinearMapStorage<T>> symmetric_form(const SelfOperator<T>& P,
                                                          const std::string& storage, const Execution& run);

}  // namespace likewise
