"""What is to be reached, as data: peer time / ours at 2 threads, goal and stretch."""

from dataclasses import dataclass

THREADS = 2
MEMORY = "peak memory of streamed work beyond inputs and outputs"


@dataclass(frozen=True)
class Goal:
    """At least `goal`, better `stretch`, for the ratio of a workload's contender to ours."""

    workload: str
    contender: str
    goal: float
    stretch: float

    def verdict(self, ratio):
        """ "stretch", "goal" or "missed"."""
        return "stretch" if ratio >= self.stretch else "goal" if ratio >= self.goal else "missed"


GOALS = (
    Goal("attention-n16384-d64", "PyTorch", 1.3, 1.5),
    Goal("attention-n4096-d16", "PyTorch", 1.8, 2.5),
    Goal("attention-n16384-d64", "OpenBLAS sgemm", 0.95, 1.0),
    Goal("backward-1-head", "PyTorch", 1.8, 2.2),
    Goal("backward-8-heads", "PyTorch", 1.2, 1.5),
    Goal("gaussian-d3", "KeOps", 40, 60),
    Goal("gaussian-d3", "scikit-learn", 90, 120),
    Goal("gaussian-d64", "KeOps", 30, 40),
    Goal("gaussian-d64", "scikit-learn", 25, 40),
    Goal("neighbors-n20000-d64", "faiss", 4, 6),
    Goal("neighbors-n20000-d64", "scikit-learn", 10, 18),
    Goal("neighbors-n20000-d10", "faiss", 6, 12),
    Goal("neighbors-n20000-d10", "SciPy cKDTree", 12, 25),
    Goal("neighbors-n100000-d3", "SciPy cKDTree", 2.5, 5),
    Goal("spectral-swiss-roll", "scikit-learn", 5, 10),
    Goal("spectral-blobs", "scikit-learn", 20, 50),
    Goal("diffusion-maps", "pyDiffMap", 20, 50),
    Goal("label-propagation-rbf", "scikit-learn", 50, 150),
    Goal("label-spreading-knn", "scikit-learn", 3, 6),
    Goal("bandwidth-loo", "statsmodels", 300, 2000),
    Goal("nca-digits", "scikit-learn", 10, 20),
    Goal("training-digits", "PyTorch", 2, 3),
    Goal("training-step-n4096-1", "PyTorch", 1.5, 2),
    Goal("training-step-n4096-8", "PyTorch", 1.2, 1.5),
    Goal("training-step-n16384-1", "PyTorch", 1.5, 2),
    Goal("propagation-metric-moons", "PyTorch", 2, 3),
    Goal("propagation-dot-moons", "PyTorch", 2, 3),
    Goal("graph-attention-100000", "PyTorch", 3, 4),
)

EACH_OF_A_GROUP = {
    "iris": ("scikit-learn", 1, 3),
    "serve": ("scikit-learn", 1, 3),
}  # the goal of every workload of the group

MEMORY_GOAL, MEMORY_STRETCH = 64 * 2**20, 16 * 2**20  # bytes


def goal_of(workload, contender):
    """The Goal of a pair, or None."""
    for goal in GOALS:
        if (goal.workload, goal.contender) == (workload.name, contender):
            return goal
    peer, goal, stretch = EACH_OF_A_GROUP.get(workload.group, ("", None, None))
    return Goal(workload.name, contender, goal, stretch) if peer == contender else None


def memory_verdict(n_bytes):
    """As Goal.verdict, for bytes beyond inputs and outputs."""
    return "stretch" if n_bytes <= MEMORY_STRETCH else "goal" if n_bytes <= MEMORY_GOAL else "missed"
