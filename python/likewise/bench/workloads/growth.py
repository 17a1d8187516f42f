"""Growth with n: the workloads of streamed products, attention and neighbors at many n."""

from likewise.bench.workloads import attention, gaussian, neighbors

WORKLOADS = (gaussian.GROWTH, attention.GROWTH, neighbors.GROWTH)
