#include "available_memory.hpp"

#include <algorithm>
#include <fstream>
#include <limits>
#include <sstream>

#if __has_include(<unistd.h>)
#include <unistd.h>
#endif

namespace likewise {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t unlimited = std::numeric_limits<std::size_t>::max();

/// The number behind `key` in a file of lines "key number ..."; 0 without it.
std::size_t number_of(const fs::path& file, const std::string& key) {
  std::ifstream in(file);
  std::string word, rest;
  std::size_t number = 0;
  while (in >> word) {
    if (word == key && in >> number) return number;
    std::getline(in, rest);
  }
  return 0;
}

/// A file's first number; `otherwise` for "max", and where there is no such file.
std::size_t first_number(const fs::path& file, std::size_t otherwise) {
  std::ifstream in(file);
  std::size_t number = 0;
  return in >> number ? number : otherwise;
}

struct GroupFiles {
  const char *limit, *usage, *reclaimable;  // two files, and a line of memory.stat
};
constexpr GroupFiles version_1 = {"memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"};
constexpr GroupFiles version_2 = {"memory.max", "memory.current", "inactive_file"};

std::size_t left_in(const fs::path& group, const GroupFiles& files) {
  const std::size_t limit = first_number(group / files.limit, unlimited);
  if (limit == unlimited) return unlimited;
  const std::size_t usage = first_number(group / files.usage, 0);
  const std::size_t held = usage - std::min(usage, number_of(group / "memory.stat", files.reclaimable));
  return limit - std::min(limit, held);
}

/// The least of the group and all above it. Inside a container the path may be one of the host: what is not
/// there sets no limit, and the mount itself is the container's own group.
std::size_t least_left(const fs::path& mount, const std::string& path, const GroupFiles& files) {
  std::size_t left = left_in(mount, files);
  fs::path group = mount;
  for (const fs::path& name : fs::path(path).relative_path())
    left = std::min(left, left_in(group /= name, files));
  return left;
}

/// Whether a comma separated list holds "memory".
bool names_memory(const std::string& controllers) {
  return ("," + controllers + ",").find(",memory,") != std::string::npos;
}

/// Elsewhere than on Linux: free physical memory, or all of it.
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
  return unlimited;
}

std::string text_of(const fs::path& file) {
  std::ostringstream text;
  text << std::ifstream(file).rdbuf();
  return text.str();
}

}  // namespace

std::size_t cgroup_memory_left(const fs::path& mount, const std::string& membership) {
  std::size_t left = unlimited;
  std::istringstream lines(membership);
  std::string id, controllers, path;
  while (std::getline(lines, id, ':') && std::getline(lines, controllers, ':') && std::getline(lines, path)) {
    if (controllers.empty()) left = std::min(left, least_left(mount, path, version_2));
    if (names_memory(controllers)) left = std::min(left, least_left(mount / "memory", path, version_1));
  }
  return left;
}

std::size_t available_memory() {
  // MemAvailable counts the caches that Linux can drop.
  const std::size_t kibibytes = number_of("/proc/meminfo", "MemAvailable:");
  const std::size_t system = kibibytes > 0 ? kibibytes * 1024 : physical_memory();
  return std::min(system, cgroup_memory_left("/sys/fs/cgroup", text_of("/proc/self/cgroup")));
}

}  // namespace likewise
