#include <array>
#include <sstream>

#include <likewise/error.hpp>
#include <likewise/execution.hpp>

#include "available_memory.hpp"

namespace likewise {

namespace {

// Below this the default limit is not looked up: reading it takes longer than filling so little memory.
constexpr double always_allowed = 16.0 * 1024 * 1024;

/// Three digits and a binary unit: "74.5 GiB".
std::string print_bytes(double bytes) {
  static constexpr std::array units = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  std::size_t unit = 0;
  for (; bytes >= 999.5 && unit + 1 < units.size(); ++unit) bytes /= 1024;
  std::ostringstream out;
  out.precision(3);
  out << bytes << ' ' << units[unit];
  return out.str();
}

}  // namespace

std::size_t Execution::memory_allowed() const { return memory_limit > 0 ? memory_limit : available_memory(); }

void Execution::require_memory(double bytes, const std::string& what, const std::string& way_out,
                               const std::string& details) const {
  if (memory_limit == 0 && bytes <= always_allowed) return;
  const double allowed = static_cast<double>(memory_allowed());
  if (bytes <= allowed) return;
  throw MemoryLimitError(what + " needs " + print_bytes(bytes) + (details.empty() ? "" : " (" + details + ")")
                         + ", limit " + print_bytes(allowed) + "; " + way_out + " or raise memory_limit.");
}

}  // namespace likewise
