#include <unistd.h>

#include <likewise/error.hpp>
#include <likewise/execution.hpp>

#include "catch.hpp"

using likewise::Execution;

namespace {

std::string message_of(const Execution& run, double bytes, const std::string& details) {
  try {
    run.require_memory(bytes, "toarray()", "use P @ V", details);
  } catch (const likewise::MemoryLimitError& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace

TEST_CASE("memory beyond the limit is refused with what is needed, allowed, and the way out", "[execution]") {
  const Execution run{.memory_limit = std::size_t{8} << 30};
  CHECK(
      message_of(run, 1e5 * 1e5 * 8, "100000 x 100000 float64")
      == "toarray() needs 74.5 GiB (100000 x 100000 float64), limit 8 GiB; use P @ V or raise memory_limit.");
  CHECK(message_of(Execution{.memory_limit = 1000}, 1100, "")
        == "toarray() needs 1.07 KiB, limit 0.977 KiB; use P @ V or raise memory_limit.");
  CHECK(message_of(Execution{.memory_limit = 999}, 1000.0 * 1024 * 1024, "")
        == "toarray() needs 0.977 GiB, limit 999 bytes; use P @ V or raise memory_limit.");
  CHECK(message_of(run, std::ldexp(8.0, 30), "") == "no error");
  CHECK(message_of(Execution{}, 1e30, "").find("EiB") != std::string::npos);
}

TEST_CASE("without a limit the memory now available counts", "[execution]") {
  const std::size_t allowed = Execution{}.memory_allowed();
  CHECK(allowed > std::size_t{1} << 20);
  CHECK(allowed <= static_cast<std::size_t>(sysconf(_SC_PHYS_PAGES))
                       * static_cast<std::size_t>(sysconf(_SC_PAGESIZE)));
  CHECK(Execution{.memory_limit = 12345}.memory_allowed() == 12345);
}
