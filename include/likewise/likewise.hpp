// Everything: `#include <likewise/likewise.hpp>`, or the one header of what you use.
#pragma once

#include <likewise/algorithms/attention.hpp>
#include <likewise/algorithms/diffusion_maps.hpp>
#include <likewise/algorithms/hopfield_memory.hpp>
#include <likewise/algorithms/k_neighbors.hpp>
#include <likewise/algorithms/kernel_density.hpp>
#include <likewise/algorithms/kernel_regression.hpp>
#include <likewise/algorithms/label_propagation.hpp>
#include <likewise/algorithms/mean_shift.hpp>
#include <likewise/algorithms/spectral_clustering.hpp>
#include <likewise/algorithms/spectral_embedding.hpp>
#include <likewise/convergence.hpp>
#include <likewise/equilibrium.hpp>
#include <likewise/gradient.hpp>
#include <likewise/kmeans.hpp>
#include <likewise/mechanism.hpp>
#include <likewise/neighbors.hpp>
#include <likewise/operator.hpp>
#include <likewise/partial.hpp>
#include <likewise/select_bandwidth.hpp>
#include <likewise/simd_target.hpp>
#include <likewise/spectrum.hpp>
#include <likewise/version.hpp>
