"""All workloads, one file a subject. A new one: WORKLOADS in a file here, and the file in the list below."""

from likewise.bench.workloads import (
    accuracy,
    attention,
    backward,
    bandwidth,
    diffusion_maps,
    gaussian,
    growth,
    iris,
    labels,
    neighbors,
    paper,
    serve,
    spectral,
    training,
)

_MODULES = (
    attention,
    backward,
    gaussian,
    neighbors,
    serve,
    spectral,
    diffusion_maps,
    labels,
    bandwidth,
    training,
    paper,
    accuracy,
    iris,
    growth,
)


def all_workloads():
    """Every workload, in the order of the report."""
    return tuple(workload for module in _MODULES for workload in module.WORKLOADS)


def get(name):
    """The workload of that name."""
    return next(workload for workload in all_workloads() if workload.name == name)


def chosen(names):
    """Workloads by name or group, in order; a ValueError lists what there is."""
    known = all_workloads()
    for name in names:
        if not any(name in (workload.name, workload.group) for workload in known):
            groups = dict.fromkeys(workload.group for workload in known)
            raise ValueError(
                f"only must be among {', '.join(groups)}, or a name that --list shows; got {name!r}."
            )
    return tuple(workload for workload in known if workload.name in names or workload.group in names)
