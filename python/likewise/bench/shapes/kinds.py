"""The kinds of shapes, drawn equally often."""

from types import SimpleNamespace

from likewise.bench.shapes import attention, densities, labels, layers, modes, neighbors, regression, spectra


def _kind(module):
    return SimpleNamespace(draw=module.draw_shape, workload=module.workload_of)


KINDS = {
    "neighbors-across": SimpleNamespace(draw=neighbors.draw_across, workload=neighbors.workload_across),
    "neighbors-self": SimpleNamespace(draw=neighbors.draw_self, workload=neighbors.workload_self),
    "density": _kind(densities),
    "regression": _kind(regression),
    "labels": _kind(labels),
    "spectra": _kind(spectra),
    "mean-shift": _kind(modes),
    "attention": _kind(attention),
    "layers": _kind(layers),
}
