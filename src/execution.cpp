#include <array>
#include <cmath>
#include <fstream>
#include <limits>
#include <sstream>

#if __has_include(<unistd.h>)
#include <unistd.h>
#endif

#include <likewise/error.hpp>
#include <likewise/execution.hpp>

namespace likewise {

namespace {

/// Bytes that Linux says can be had without swapping (MemAvailable counts reclaimable caches); 0 if it does
/// not say.
std::size_t mem_available() {
  std::ifstream file("/proc/meminfo");
  std::string key, rest;
  std::size_t kibibytes = 0;
  while (file >> key) {
    if (key == "MemAvailable:" && file >> kibibytes) return kibibytes * 1024;
    std::getline(file, rest);
  }
  return 0;
}

/// Elsewhere: free physical memory, or all of it; no limit where the system tells neither.
std::size_t physical_memory() {
#if defined(_SC_PAGESIZE) && (defined(_SC_AVPHYS_PAGES) || defined(_SC_PHYS_PAGES))
#if defined(_SC_AVPHYS_PAGES)
  const long pages = sysconf(_SC_AVPHYS_PAGES);
#else
  const long pages = sysconf(_SC_PHYS_PAGES);
#endif
  const long page_size = sysconf(_SC_PAGESIZE);
  if (pages > 0 && page_size > 0)
    return static_cast<std::size_t>(pages) * static_cast<std::size_t>(page_size);
#endif
  return std::numeric_limits<std::size_t>::max();
}

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

std::size_t Execution::memory_allowed() const {
  if (memory_limit > 0) return memory_limit;
  const std::size_t available = mem_available();
  return available > 0 ? available : physical_memory();
}

void Execution::require_memory(double bytes, const std::string& what, const std::string& way_out,
                               const std::string& details) const {
  const double allowed = static_cast<double>(memory_allowed());
  if (bytes <= allowed) return;
  throw MemoryLimitError(what + " needs " + print_bytes(bytes) + (details.empty() ? "" : " (" + details + ")")
                         + ", limit " + print_bytes(allowed) + "; " + way_out + " or raise memory_limit.");
}

}  // namespace likewise
