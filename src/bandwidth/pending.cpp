// Until the rules land in this folder: delete this file in the same commit that adds them.
#include <likewise/error.hpp>
#include <likewise/select_bandwidth.hpp>

namespace likewise {

template <class T>
SelectedBandwidth select_bandwidth(const std::string& rule, const Metric&, const Kernel&, const Points<T>&,
                                   const BandwidthOptions&, const Execution&) {
  refuse("bandwidth", "a number", "'" + rule + "'");
}
template <class T>
Vector<double> row_scales_at(const SelectedBandwidth&, const Metric&, const Kernel&, const Points<T>&,
                             const Points<T>&, const BandwidthOptions&, const Execution&) {
  refuse("bandwidth", "a number", "a rule with a scale for each point");
}
template <class T>
SelectedBandwidth loo_bandwidth(const Mechanism&, const Points<T>&, const Values<T>&, LooLoss,
                                const BandwidthOptions&, const Execution&) {
  refuse("bandwidth", "a number", "'loo'");
}

#define LIKEWISE_INSTANTIATE(T)                                                                             \
  template SelectedBandwidth select_bandwidth(const std::string&, const Metric&, const Kernel&,             \
                                              const Points<T>&, const BandwidthOptions&, const Execution&); \
  template Vector<double> row_scales_at(const SelectedBandwidth&, const Metric&, const Kernel&,             \
                                        const Points<T>&, const Points<T>&, const BandwidthOptions&,        \
                                        const Execution&);                                                  \
  template SelectedBandwidth loo_bandwidth(const Mechanism&, const Points<T>&, const Values<T>&, LooLoss,   \
                                           const BandwidthOptions&, const Execution&);
LIKEWISE_INSTANTIATE(float)
LIKEWISE_INSTANTIATE(double)
#undef LIKEWISE_INSTANTIATE

}  // namespace likewise
