"""Peak memory of this process (Linux; None elsewhere)."""


def peak_of(run):
    """Bytes at the peak of run() beyond what the process held before, and what run returned.

    Read VmHWM of a child that does nothing else: ru_maxrss inherits the parent's peak.
    """
    before = status_bytes("VmRSS")
    if before is None or not _forget_peak():
        return None, run()
    result = run()
    return max(status_bytes("VmHWM") - before, 0), result


def status_bytes(field):
    """A memory field of this process in bytes; None where the system has no /proc."""
    return _field("/proc/self/status", field)


def available_bytes():
    """Memory that new work may take; None where the system does not say."""
    return _field("/proc/meminfo", "MemAvailable")


def _field(path, field):
    try:
        with open(path) as lines:
            line = next(line for line in lines if line.startswith(field))
    except OSError:
        return None
    return int(line.split()[1]) * 1024


def _forget_peak():
    """VmHWM starts anew at VmRSS (Linux, proc(5): clear_refs 5)."""
    try:
        with open("/proc/self/clear_refs", "w") as control:
            control.write("5")
    except OSError:
        return False
    return True
