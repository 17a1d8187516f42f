#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <limits>

#include <likewise/error.hpp>
#include <likewise/execution.hpp>

#include "available_memory.hpp"
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

namespace {

namespace fs = std::filesystem;

/// A tree of control groups' files, removed at the end.
class Groups {
 public:
  Groups() { fs::create_directories(mount); }
  Groups(const Groups&) = delete;
  Groups& operator=(const Groups&) = delete;
  ~Groups() { fs::remove_all(mount); }
  void write(const std::string& file, const std::string& text) const {
    fs::create_directories((mount / file).parent_path());
    std::ofstream(mount / file) << text;
  }
  const fs::path mount = fs::temp_directory_path() / ("likewise_cgroups_" + std::to_string(getpid()));
};

constexpr std::size_t unlimited = std::numeric_limits<std::size_t>::max();

}  // namespace

TEST_CASE("control groups of version 2: the least of memory.max - memory.current up the path",
          "[execution]") {
  const Groups groups;
  const auto left = [&](const std::string& path) {
    return likewise::cgroup_memory_left(groups.mount, "0::" + path + "\n");
  };
  CHECK(left("/jobs/a") == unlimited);  // no such files
  groups.write("jobs/memory.max", "1000\n");
  groups.write("jobs/memory.current", "300\n");
  groups.write("jobs/a/memory.max", "max\n");
  groups.write("jobs/a/memory.current", "200\n");
  groups.write("jobs/b/memory.max", "500\n");
  groups.write("jobs/b/memory.current", "600\n");
  CHECK(left("/jobs/a") == 700);
  CHECK(left("/jobs") == 700);
  CHECK(left("/jobs/b") == 0);
  CHECK(left("/") == unlimited);
  groups.write("jobs/memory.stat", "anon 150\ninactive_file 100\nactive_file 50\n");
  CHECK(left("/jobs/a") == 800);        // the cache can be dropped
  groups.write("memory.max", "400\n");  // inside a container: its own group is the mount
  CHECK(left("/a/path/of/the/host") == 400);
}

TEST_CASE("control groups of version 1: the memory controller's limit", "[execution]") {
  const Groups groups;
  const std::string membership = "9:cpu,cpuacct:/x\n4:hugetlb,memory:/box\n0::/\n";
  CHECK(likewise::cgroup_memory_left(groups.mount, membership) == unlimited);
  groups.write("memory/memory.limit_in_bytes", "9223372036854771712\n");
  groups.write("memory/box/memory.limit_in_bytes", "2000\n");
  groups.write("memory/box/memory.usage_in_bytes", "1500\n");
  groups.write("memory/box/memory.stat", "inactive_file 7\ntotal_inactive_file 400\n");
  CHECK(likewise::cgroup_memory_left(groups.mount, membership) == 900);
  CHECK(likewise::cgroup_memory_left(groups.mount, "4:memoryless:/box\n") == unlimited);
  CHECK(likewise::cgroup_memory_left(groups.mount, "") == unlimited);
  CHECK(likewise::cgroup_memory_left(groups.mount, "no groups at all") == unlimited);
}
