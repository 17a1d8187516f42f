// What a call refuses to do, as its message.
#pragma once

#include <string>

#include <likewise/error.hpp>

namespace likewise {

/// The message of the InvalidArgument that `call` throws; empty if it throws none.
template <class Call> std::string refusal(const Call& call) {
  try {
    call();
  } catch (const InvalidArgument& error) {
    return error.what();
  }
  return {};
}

}  // namespace likewise
