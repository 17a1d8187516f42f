// Denormal results are flushed to 0 while the engine works: one costs the time of sixty normal ones.
#pragma once

#if defined(__SSE2__) || defined(_M_X64)
#include <xmmintrin.h>
#endif

namespace likewise::engine {

/// Sets flush-to-zero on this thread and restores what was set before. Denormal inputs keep their value.
class FlushDenormals {
 public:
  FlushDenormals() : before_(get()) { set(before_ | flush_bit); }
  ~FlushDenormals() { set(before_); }
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;

 private:
#if defined(__SSE2__) || defined(_M_X64)
  using Control = unsigned;
  static constexpr Control flush_bit = 0x8000;
  static Control get() { return _mm_getcsr(); }
  static void set(Control control) { _mm_setcsr(control); }
#elif defined(__aarch64__)
  using Control = unsigned long;
  static constexpr Control flush_bit = 1UL << 24;
  static Control get() {
    Control control;
    asm volatile("mrs %0, fpcr" : "=r"(control));
    return control;
  }
  static void set(Control control) { asm volatile("msr fpcr, %0" : : "r"(control)); }
#else
  using Control = int;
  static constexpr Control flush_bit = 0;
  static Control get() { return 0; }
  static void set(Control) {}
#endif
  Control before_;
};

}  // namespace likewise::engine
