// The memory that one more allocation may take without swapping or being killed.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>

namespace likewise {

/// What the system has available, or what is left of the control group's limit where that is less; the
/// largest number where neither is told.
std::size_t available_memory();

/// What is left below the limits of the control groups that this process is in; the largest number without a
/// limit. `membership` is the text of /proc/self/cgroup, `mount` where the groups' files are: version 2 has
/// memory.max, version 1 memory/.../memory.limit_in_bytes. File caches that can be dropped count as left.
std::size_t cgroup_memory_left(const std::filesystem::path& mount, const std::string& membership);

}  // namespace likewise
