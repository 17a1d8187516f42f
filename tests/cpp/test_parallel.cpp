#include <atomic>
#include <limits>
#include <numeric>
#include <vector>

#include <likewise/error.hpp>

#include "catch.hpp"
#include "engine/parallel.hpp"

using namespace likewise;

TEST_CASE("blocks of a tournament wait for their own items only, in the order of rounds", "[execution]") {
  constexpr Index n_items = 7, n_blocks = n_items / 2 + 1;
  const auto meet = [](Index r, Index i) { return engine::meeting_of(n_items, r, i); };
  std::vector<Index> all_rounds(n_items);
  std::iota(all_rounds.begin(), all_rounds.end(), 0);
  for (const int n_jobs : {1, 2, 4}) {
    const Execution run{.n_jobs = n_jobs};
    std::vector<std::vector<Index>> rounds_of(n_items);  // nothing but the schedule protects these
    engine::parallel_rounds(n_items, n_blocks, n_items, run, "", meet, [&](Index r, Index i) {
      const engine::Items pair = meet(r, i);
      rounds_of[static_cast<std::size_t>(pair.first)].push_back(r);
      if (i > 0) rounds_of[static_cast<std::size_t>(pair.second)].push_back(r);
    });
    for (const auto& rounds : rounds_of) CHECK(rounds == all_rounds);
    // Whoever waits for a block that failed gives up, too.
    const auto fail = [](Index r, Index i) {
      if (r == 1 && i == 2) throw InvalidArgument("a block failed");
    };
    CHECK_THROWS_AS(engine::parallel_rounds(n_items, n_blocks, n_items, run, "", meet, fail),
                    InvalidArgument);
  }
}

TEST_CASE("tasks get a thread each where they are enough, else all threads", "[execution]") {
  for (const Index n : {0, 1, 3, 8}) {
    std::vector<int> threads(static_cast<std::size_t>(n));
    engine::parallel_tasks(n, {.n_jobs = 4}, "", [&](Index i, const Execution& inside) {
      threads[static_cast<std::size_t>(i)] = engine::thread_count(inside);
    });
    CHECK(threads == std::vector<int>(static_cast<std::size_t>(n), n >= 4 ? 1 : 4));
  }
}

TEST_CASE("denormals are flushed inside the work of any thread, and the caller's mode is restored",
          "[execution]") {
  const auto flushes = [] {
    volatile float normal = std::numeric_limits<float>::min();
    return normal * 0.25F == 0;
  };
  REQUIRE_FALSE(flushes());
  std::atomic<int> flushed = 0;
  engine::parallel_blocks(16, {.n_jobs = 3}, "testing", [&](Index) { flushed += flushes(); });
  CHECK(flushed == 16);
  CHECK_FALSE(flushes());
  CHECK_THROWS(
      engine::parallel_blocks(16, {.n_jobs = 3}, "testing", [](Index) { throw InvalidArgument("x"); }));
  CHECK_FALSE(flushes());
}
