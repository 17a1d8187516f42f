"""Kernel regression, k-NN, spectral methods, label propagation and attention as one mechanism."""

from likewise import datasets as datasets
from likewise import gradients as gradients
from likewise import heads as heads
from likewise import identities as identities
from likewise import kernels as kernels
from likewise import maps as maps
from likewise import metrics as metrics
from likewise import nn as nn
from likewise import normalizations as normalizations
from likewise import plots as plots
from likewise import propagations as propagations
from likewise import supports as supports
from likewise import theory as theory
from likewise._attention import attention as attention
from likewise._attention import from_torch_mask as from_torch_mask
from likewise._attention import l2_attention as l2_attention
from likewise._attention import metric_attention as metric_attention
from likewise._bandwidth import select_bandwidth as select_bandwidth
from likewise._errors import ConvergenceError as ConvergenceError
from likewise._errors import MemoryLimitError as MemoryLimitError
from likewise._execution import execution as execution
from likewise._explain import explain as explain
from likewise._features import nystrom as nystrom
from likewise._features import positive_random_features as positive_random_features
from likewise._mechanism import Mechanism as Mechanism
from likewise._neighbors import kneighbors as kneighbors
from likewise._neighbors import radius_neighbors as radius_neighbors
from likewise._operator import CrossOperator as CrossOperator
from likewise._operator import LinearMap as LinearMap
from likewise._operator import PropagationOperator as PropagationOperator
from likewise._operator import SelfOperator as SelfOperator
from likewise._partial import Partial as Partial
from likewise._versions import show_versions as show_versions
from likewise.estimators.attention import AttentionClassifier as AttentionClassifier
from likewise.estimators.attention import AttentionRegressor as AttentionRegressor
from likewise.estimators.diffusion_maps import DiffusionMaps as DiffusionMaps
from likewise.estimators.fuzzy_c_means import FuzzyCMeans as FuzzyCMeans
from likewise.estimators.hopfield_memory import HopfieldMemory as HopfieldMemory
from likewise.estimators.kernel_density import KernelDensity as KernelDensity
from likewise.estimators.kernel_regression import KernelClassifier as KernelClassifier
from likewise.estimators.kernel_regression import KernelRegressor as KernelRegressor
from likewise.estimators.label_propagation import LabelPropagation as LabelPropagation
from likewise.estimators.label_propagation import LabelSpreading as LabelSpreading
from likewise.estimators.markov_clustering import MarkovClustering as MarkovClustering
from likewise.estimators.mean_shift import MeanShift as MeanShift
from likewise.estimators.mean_shift import estimate_bandwidth as estimate_bandwidth
from likewise.estimators.metric_learner import MetricLearner as MetricLearner
from likewise.estimators.neighbors import KNeighborsClassifier as KNeighborsClassifier
from likewise.estimators.neighbors import KNeighborsRegressor as KNeighborsRegressor
from likewise.estimators.neighbors import NearestNeighbors as NearestNeighbors
from likewise.estimators.neighbors import RadiusNeighborsClassifier as RadiusNeighborsClassifier
from likewise.estimators.neighbors import RadiusNeighborsRegressor as RadiusNeighborsRegressor
from likewise.estimators.propagation_network import PropagationClassifier as PropagationClassifier
from likewise.estimators.propagation_network import PropagationRegressor as PropagationRegressor
from likewise.estimators.spectral_clustering import SpectralClustering as SpectralClustering
from likewise.estimators.spectral_embedding import SpectralEmbedding as SpectralEmbedding

__version__: str

def simd_target() -> str: ...
