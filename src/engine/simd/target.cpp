#include "engine/simd/target.hpp"

#include "engine/simd/targets.hpp"
#include "hwy/highway.h"
#include "hwy/targets.h"

#include <atomic>
#include <cstdint>
#include <cstdlib>

#include <likewise/error.hpp>
#include <likewise/simd_target.hpp>

#include "engine/simd/amx_product.hpp"

namespace likewise {
namespace {

std::string list(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "\"" : ", \"") + name + "\"";
  return text;
}

/// What can run here, before anything was forced; one bit each, the best is the lowest.
const std::vector<std::int64_t>& available() {
  static const std::vector<std::int64_t> targets = hwy::SupportedAndGeneratedTargets();
  return targets;
}

/// Highway knows no such target: its best one, with AMX for large products of floats. Only where it is named: on shared
/// cores it was as often slower as faster.
constexpr const char* amx = "AMX";
std::atomic<bool> amx_wanted = false;

void choose(std::int64_t mask, bool with_amx = false) {
  amx_wanted = with_amx;
  hwy::SetSupportedTargetsForTest(mask);
  hwy::GetChosenTarget().DeInit();  // the next kernel asks again
}

void force(const char* argument, const std::string& name) {
  if (name.empty()) return choose(0);
  if (name == amx && engine::simd::amx_available()) return choose(0, true);
  for (const std::int64_t target : available())
    if (name == hwy::TargetName(target)) return choose(target);
  refuse(argument, "one of " + list(simd_targets()) + " here, or empty", "\"" + name + "\"");
}

}  // namespace

std::vector<std::string> simd_targets() {
  std::vector<std::string> names;
  if (engine::simd::amx_available()) names.emplace_back(amx);
  for (const std::int64_t target : available()) names.emplace_back(hwy::TargetName(target));
  return names;
}

std::string simd_target() {
  engine::simd::obey_environment();
  if (engine::simd::amx_chosen()) return amx;
  const std::int64_t targets = hwy::SupportedTargets() & HWY_TARGETS;
  return hwy::TargetName(targets & -targets);
}

void force_simd_target(const std::string& name) {
  engine::simd::obey_environment();
  force("name", name);
}

void engine::simd::obey_environment() {
  static const bool obeyed = [] {
    const char* name = std::getenv("LIKEWISE_SIMD");
    if (name != nullptr) force("LIKEWISE_SIMD", name);
    return true;
  }();
  static_cast<void>(obeyed);
}

bool engine::simd::amx_chosen() { return amx_wanted.load(std::memory_order_relaxed) && amx_available(); }

}  // namespace likewise
