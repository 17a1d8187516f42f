"""The machine and the build that numbers belong to."""

import os
import platform

from likewise import _core
from likewise._execution import n_cores


def describe():
    """A dict: cpu, cores, memory_bytes, system, compiler, flags."""
    return {
        "cpu": _cpu(),
        "cores": n_cores(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "system": platform.platform(),
        **_core.build(),
    }


def _cpu():
    """The name that the system has for the processor, with family and model where it is a number only."""
    try:
        with open("/proc/cpuinfo") as lines:
            fields = dict(tuple(part.strip() for part in line.split(":", 1)) for line in lines if ":" in line)
    except OSError:
        return platform.processor() or platform.machine()
    name = fields.get("model name") or platform.machine()
    numbers = [f"{key} {fields[key]}" for key in ("cpu family", "model", "stepping") if key in fields]
    return f"{name} ({', '.join(numbers)})" if numbers else name
