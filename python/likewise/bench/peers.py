"""The libraries that likewise is measured beside, and how each is given its threads."""

from likewise.bench.workload import Peer

TORCH = Peer("torch", "torch", "torch==2.13.0")
KEOPS = Peer("pykeops", "pykeops")
SKLEARN = Peer("sklearn", "scikit-learn")
FAISS = Peer("faiss", "faiss-cpu")
SCIPY = Peer("scipy", "scipy")
PYDIFFMAP = Peer("pydiffmap", "pydiffmap")
STATSMODELS = Peer("statsmodels", "statsmodels")
NUMPY = Peer("numpy", "numpy")
INTELEX = Peer("sklearnex", "scikit-learn-intelex")  # only where its package installs

ALL = (TORCH, KEOPS, SKLEARN, FAISS, SCIPY, PYDIFFMAP, STATSMODELS, NUMPY, INTELEX)


def set_threads(peer, threads):
    """Threads of a library that has its own setting; all others read the environment of the process."""
    if peer is TORCH:
        import torch

        torch.set_num_threads(threads)
    elif peer is FAISS:
        import faiss

        faiss.omp_set_num_threads(threads)
