// likewise_benchmarks: Google Benchmark's options hold, such as --benchmark_filter=streamed. OMP_NUM_THREADS
// sets the threads of kernels and yardsticks alike.
#include <string>

#include <likewise/version.hpp>

#include "yardstick.hpp"

int main(int argc, char** argv) {
  namespace lb = likewise::benchmarks;
  lb::choose_product_kernels(argv);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  const auto gigaflops = [](double speed) {
    return std::to_string(static_cast<int>(speed * 1e-9)) + " GF/s";
  };
  benchmark::AddCustomContext("likewise", std::string(likewise::version()));
  benchmark::AddCustomContext("threads", std::to_string(lb::threads()));
  benchmark::AddCustomContext("A", "2048^3 product by " + lb::product_name());
  benchmark::AddCustomContext("A_float32", gigaflops(lb::product_speed<float>()));
  benchmark::AddCustomContext("A_float64", gigaflops(lb::product_speed<double>()));
  benchmark::AddCustomContext("peak_float32", gigaflops(lb::fma_peak<float>()));
  benchmark::AddCustomContext("peak_float64", gigaflops(lb::fma_peak<double>()));
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
