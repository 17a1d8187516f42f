// The five functions of Highway's library that the engine calls, for a machine with one target. Distributions have the
// library compiled for their own processors only; its headers are for every one.
#include <cstdint>
#include <cstdlib>

#include "hwy/aligned_allocator.h"
#include "hwy/highway.h"
#include "hwy/targets.h"

namespace hwy {

std::int64_t SupportedTargets() { return HWY_STATIC_TARGET; }

void SetSupportedTargetsForTest(std::int64_t) {}

ChosenTarget& GetChosenTarget() {
  static ChosenTarget chosen;
  return chosen;
}

void* AllocateAlignedBytes(size_t size, AllocPtr, void*) {
  return std::aligned_alloc(HWY_ALIGNMENT, (size + HWY_ALIGNMENT - 1) / HWY_ALIGNMENT * HWY_ALIGNMENT);
}

void FreeAlignedBytes(const void* memory, FreePtr, void*) { std::free(const_cast<void*>(memory)); }

}  // namespace hwy
