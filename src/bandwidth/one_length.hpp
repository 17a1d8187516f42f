// Rules with one length for all points: see likewise/select_bandwidth.hpp for the formulas.
#pragma once

#include <likewise/select_bandwidth.hpp>

namespace likewise::bandwidths {

SelectedBandwidth median(const Metric& metric, const Points<double>& Z, const BandwidthOptions& options,
                         const Execution& run);
SelectedBandwidth scott_or_silverman(const std::string& rule, const Metric& metric, const Points<double>& Z,
                                     const BandwidthOptions& options, const Execution& run);
SelectedBandwidth bgh(const Metric& metric, const Points<double>& Z, const BandwidthOptions& options,
                      const Execution& run);

}  // namespace likewise::bandwidths
