// What can go wrong, and how it is said: the argument, what is allowed, what came.
#pragma once

#include <cstddef>
#include <new>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>

namespace likewise {

/// An argument is not what the call allows. The message names the argument, what is allowed and what came.
struct InvalidArgument : std::invalid_argument {
  using std::invalid_argument::invalid_argument;
};

/// An iteration stopped at its step limit, and the caller had asked for an exception.
struct NotConverged : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The work would need more memory than `Execution` allows; nothing was started.
struct MemoryLimitError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The caller's stop request was seen.
struct Interrupted : std::runtime_error {
  Interrupted() : std::runtime_error("stopped on request") {}
};

/// "n_neighbors must be an int in [1, 99] (a point is not its own neighbor); got 100."
template <class Got>
[[noreturn]] void refuse(std::string_view argument, std::string_view allowed, const Got& got) {
  std::ostringstream message;
  message << argument << " must be " << allowed << "; got " << got << ".";
  throw InvalidArgument(message.str());
}

/// Words that are literals cost nothing where they are not said; what is put together of several is put together always.
template <class Got>
void require(bool holds, std::string_view argument, std::string_view allowed, const Got& got) {
  if (!holds) refuse(argument, allowed, got);
}

}  // namespace likewise
