"""The paper's theorems 3 to 6 with maps that attention has learned, and what it concludes from them.

Modules are trained as anybody would; then the step of the module, H_new - H, is compared with the theorem
under the metric g = phi* (Euclidean) that it learned, while its temperature 2 eps falls from the 1 of
training, eps = 1/2. phi and its derivatives are computed by NumPy from the module's state_dict.

A curve whose tokens have equal weights in an angle u is a trapezoidal rule: there are no quadrature weights,
and what is measured is the module itself. Its density, uneven in g, is what training and spacing make it.

The theorems need a map that is injective, and training does not promise one. With two or three classes along
this curve it brought far tokens nearer than 0.22 to one another in all of 15 trainings that were tried; the
step is then an expectation over both branches (theorem 6) until sqrt(eps) is well below that. With the six
classes used here they stay apart.
"""

from functools import cache

import numpy as np
from scipy.sparse.csgraph import connected_components

import likewise as lw
from likewise.theory import calculus, transport, worlds
from likewise.theory.check import Exact, Limit, checks, halved, later

GROUP = "Learned maps"
ABOUT = (
    "The paper's theorems with maps that attention has learned. The step of a trained module is compared "
    "with the theorem under its own metric while its temperature 2ε falls; training has ε = 1/2, where "
    "the theorem is off by what the first point of a curve shows."
)
N_TOKENS, N_CLASSES, N_PLACES = 240, 6, 12
FAR = 0.6  # of the angle, from where on tokens are not near
LEVELS = halved(0.5, 8)  # eps, from the temperature of training on


# --- the curve and its modules --------------------------------------------------------------------------


def loop(u):
    """A closed curve in the plane, unevenly spaced in the angle u."""
    angle = u[:, 0] + 0.4 * np.sin(u[:, 0] + 1)
    radius = 1 + 0.25 * np.cos(2 * angle)
    return np.stack([radius * np.cos(angle), 1.2 * radius * np.sin(angle)], axis=1)


def angles(n):
    """n angles, evenly spaced, (n, 1)."""
    return np.arange(n)[:, None] * 2 * np.pi / n


@cache
def trained(max_epochs=100, random_state=0, **settings):
    """A network of one module that tells six stretches of the curve apart, in full batches."""
    u = angles(N_TOKENS)
    stretch = np.floor(u[:, 0] / (2 * np.pi) * N_CLASSES).astype(int)
    classifier = lw.PropagationClassifier(
        n_layers=1, max_epochs=max_epochs, batch_size=N_TOKENS, random_state=random_state, **settings
    )
    return classifier.fit(loop(u), stretch).network_


class Module:
    """A trained module, by its numbers alone: what NumPy needs, and the same module at another eps."""

    def __init__(self, network, **settings):
        self.state, self.settings = network.state_dict(), settings

    def hidden(self, x):
        """H of rows x: the first linear map."""
        return x @ self.state["input.weight"].T + self.state["input.bias"]

    def phi(self, h, head=0):
        """phi(P h), with the head's projection where there is one."""
        part = {name: self.state[f"layers.0.map_{name}"][head] for name in _PARTS}
        projection = self.state.get("layers.0.metric_proj.weight")
        if projection is not None:
            rank = part["in.weight"].shape[1]
            h = h @ projection[head * rank : (head + 1) * rank].T
        return (
            h + np.tanh(h @ part["in.weight"].T + part["in.bias"]) @ part["out.weight"].T + part["out.bias"]
        )

    def step(self, x, temperature):
        """(H, H_new) of rows x under this temperature: the library's module."""
        n_features, n_outputs = self.state["input.weight"].shape[1], self.state["output.weight"].shape[0]
        network = lw.nn.PropagationNetwork(
            n_features, n_outputs, n_layers=1, temperature=temperature, random_state=0, **self.settings
        )
        network.load_state_dict(self.state)
        network.forward(x)
        return network.hidden(0), network.hidden(1)


_PARTS = ("in.weight", "in.bias", "out.weight", "out.bias")


@cache
def on_the_loop(max_epochs=100, random_state=0, **settings):
    """A module trained on the curve, metric-attention if nothing else is said."""
    settings = {"attention": "metric", "embed_dim": 4, "map_width": 8, **settings}
    return Module(trained(max_epochs, random_state, **settings), **settings)


def loop_world(module, head=0, f=None):
    """The curve as this head sees it: coordinate u, even density in u, values H or others."""

    def hidden(u):
        return module.hidden(loop(u))

    return worlds.World(
        lambda u: module.phi(hidden(u), head), lambda u: np.zeros(len(u)), f or hidden, angles(N_PLACES), None
    )


def _tokens(world, eps):
    """A number of tokens, 12 of them at the places, that is fine enough for this eps."""
    speed = np.sqrt(calculus.induced(world.embed)(angles(600))[:, 0, 0].max())
    return N_PLACES * int(np.ceil(2 * np.pi * speed * worlds.STEPS / np.sqrt(eps) / N_PLACES))


def moved_on_the_loop(module, eps, fineness):
    """(H_new - H)/eps of the module at the places."""
    before, after = module.step(loop(angles(fineness)), 2 * eps)
    return ((after - before) / eps)[:: fineness // N_PLACES]


def learned_along_the_loop():
    """(u, sqrt(g), distance in phi to the nearest token that is far on the curve) of theorem 3's module."""
    u, world = angles(N_TOKENS), loop_world(on_the_loop())
    speed, phi = np.sqrt(world.metric(u)[:, 0, 0]), world.embed(u)
    apart = np.linalg.norm(phi[:, None] - phi[None], axis=-1)
    far = np.abs((u - u.T + np.pi) % (2 * np.pi) - np.pi) > FAR
    return u[:, 0], speed, np.where(far, apart, np.inf).min(axis=1)


# --- theorem 3 ------------------------------------------------------------------------------------------


def _theorem_3():
    module = on_the_loop()
    world = loop_world(module)
    return Limit(
        lambda eps: moved_on_the_loop(module, eps, _tokens(world, eps)),
        lambda c: c["half"] * (c["laplacian"] * world.laplacian + c["drift"] * world.drift),
        LEVELS,
    )


def sphere_tokens(n=300):
    """(polar angle, azimuth) of points that are spread evenly over the unit sphere."""
    k = np.arange(n) + 0.5
    return np.stack([np.arccos(1 - 2 * k / n), np.pi * (1 + 5**0.5) * k % (2 * np.pi)], axis=1)


@cache
def on_the_sphere():
    """A module that tells apart which of six axes is nearest."""
    x = worlds.on_sphere(sphere_tokens())
    axis = np.abs(x).argmax(axis=1)
    faces = 2 * axis + (x[np.arange(len(x)), axis] > 0)
    classifier = lw.PropagationClassifier(
        "metric", embed_dim=6, map_width=8, n_layers=1, max_epochs=60, batch_size=len(x), random_state=0
    )
    network = classifier.fit(x, faces).network_
    return Module(network), network.mechanism(0)


def _theorem_3_on_the_sphere():
    """Nodes of a sphere have unequal weights: the module's mechanism takes them as key weights."""
    module, mechanism = on_the_sphere()
    places = np.random.default_rng(0).uniform([0.8, 0.0], [2.3, 2 * np.pi], (6, 2))

    def hidden(x):
        return module.hidden(worlds.on_sphere(x))

    def phi(x):
        return module.phi(hidden(x))

    def stretch():
        x = sphere_tokens(600)
        J = calculus.gradient(phi)(x)
        J[..., 1] /= np.sin(x[:, :1])
        return np.linalg.svd(J, compute_uv=False).max()

    as_seen = worlds.World(phi, lambda x: np.log(np.sin(x[:, 0])), hidden, places, None)
    rows = worlds.World(hidden, as_seen.log_density, hidden, places, worlds.over_sphere(stretch()))
    return Limit(
        lambda eps: rows.generator(mechanism.replace(kernel=lw.kernels.Exponential(2 * eps)), eps),
        lambda c: c["half"] * (c["laplacian"] * as_seen.laplacian + c["drift"] * as_seen.drift),
        halved(0.02),
        5e-3,
    )


# --- theorem 4, and what the paper concludes ------------------------------------------------------------


def _theorem_4():
    """The heat equation under gbar = exp(2 lambda) g, lambda = 2 log p/(n - 2), on the curve: n = 1."""
    module = on_the_loop()
    world = loop_world(module)

    def heat(power):
        def gbar(x):
            return np.exp(-2 * power * world.log_p(x))[:, None, None] * world.metric(x)

        return worlds.of_columns(lambda f: calculus.laplace_beltrami(gbar, f), world.f, world.places)

    def predict(c):
        clock = np.exp(-c["clock"] * world.log_p(world.places))
        return c["half"] * clock[:, None] * heat(c["metric"])

    return Limit(
        lambda eps: moved_on_the_loop(module, eps, _tokens(world, eps)),
        predict,
        LEVELS,
        printed=cache(lambda: heat(2.0) / 2),
    )


SHRUNK = 3.0


def _scaled_metric():
    """phi/m in place of phi: g/m^2, and diffusion m^2 times as fast."""
    module = on_the_loop()
    world = loop_world(module)
    W1, b1, W2, b2 = (module.state[f"layers.0.map_{name}"][0] for name in _PARTS)
    phi = lw.maps.ResidualMLP(W1, b1, W2 / SHRUNK, b2 / SHRUNK, skip=np.eye(len(b2)) / SHRUNK)

    def measure(eps):
        rows = module.hidden(loop(angles(_tokens(world, eps * SHRUNK**2))))
        mechanism = lw.Mechanism(metric=lw.metrics.Mapped(phi), kernel=lw.kernels.Exponential(2 * eps))
        places = module.hidden(loop(world.places))
        return (mechanism.operator(places, rows) @ rows - places) / eps

    def predict(c):
        return SHRUNK ** c["power"] * (world.laplacian / 2 + world.drift)

    return Limit(measure, predict, halved(LEVELS[-3] / SHRUNK**2))


def _eigenvalues_and_mass(phi):
    """Of P of temperature 1 on mapped tokens, by NumPy: eigenvalues, ascending, and the mass of each row."""
    K = np.exp(-np.sum((phi[:, None] - phi[None]) ** 2, axis=-1))
    mass = K.sum(axis=1)
    return np.linalg.eigvalsh(K / np.sqrt(np.outer(mass, mass))), mass


def _trained_operator(module, rows):
    """P of the module as it was trained, on these rows of H."""
    metric = lw.metrics.Mapped(lw.maps.ResidualMLP(*(module.state[f"layers.0.map_{k}"][0] for k in _PARTS)))
    return lw.Mechanism(metric=metric, kernel=lw.kernels.Exponential(1.0)).operator(rows)


FOREVER = 20_000  # steps


def _only_constants():
    """P^t H: every row tends to sum_i pi_i H_i, pi_i proportional to the mass of row i."""
    module = on_the_loop()
    rows = module.hidden(loop(angles(N_TOKENS)))

    def measure():
        return _trained_operator(module, rows).power(FOREVER, rows)[:: N_TOKENS // 4]

    def predict(c):
        mass = _eigenvalues_and_mass(module.phi(rows))[1] ** c["mass"]
        return np.tile(mass @ rows / mass.sum(), (4, 1))

    return Exact(measure, predict, 1e-8, x_label="entry of H after 20 000 steps, four rows")


def _collapse_rate():
    """What is left of H shrinks by the second eigenvalue in each step."""
    module, early = on_the_loop(), FOREVER // 10
    rows = module.hidden(loop(angles(N_TOKENS)))

    def measure():
        P = _trained_operator(module, rows)
        kept = [P.power(t, rows) for t in (early, early + 1)]
        away = [np.linalg.norm(values - values.mean(axis=0)) for values in kept]
        return np.array([away[1] / away[0]])

    def predict(c):
        return _eigenvalues_and_mass(module.phi(rows))[0][-2:-1] * c["rate"]

    return Exact(measure, predict, 1e-5, x_label="ratio of what is left after one more step")


# --- rank collapse on clusters --------------------------------------------------------------------------

CLUSTERS = (2, 3, 4, 5)
BEFORE = 50  # steps after which clusters have settled and not yet merged
NEAR = 0.05  # an eigenvalue is near 1 if this much of its mode is left by then; groups are told apart so far


@cache
def on_clusters(k):
    """(rows H, operator, phi of the rows) of a module trained to tell k clusters of 40 points apart."""
    centers = 2 * np.concatenate([np.cos(angles(k)), np.sin(angles(k))], axis=1)
    label = np.arange(40 * k) % k
    x = centers[label] + 0.3 * np.random.default_rng(0).normal(size=(40 * k, 2))
    settings = {"embed_dim": 4, "map_width": 8, "n_layers": 1, "max_epochs": 100, "batch_size": len(x)}
    network = lw.PropagationClassifier("metric", random_state=0, **settings).fit(x, label).network_
    module, mechanism = Module(network), network.mechanism(0)
    rows = module.hidden(x)
    return rows, mechanism.operator(rows), module.phi(rows)


def groups(rows, of, share=NEAR, least=5):
    """How many groups of five rows or more hang together over gaps of a share of the extent of `of`."""
    apart = np.linalg.norm(rows[:, None] - rows[None], axis=-1)
    extent = np.linalg.norm(of - of.mean(axis=0), axis=1).max()
    group = connected_components(apart <= share * extent, directed=False)[1]
    return int(np.sum(np.bincount(group) >= least))


def _near_one(k, t):
    """How many eigenvalues w of the clusters' operator have w^t above NEAR, by NumPy."""
    w, _ = _eigenvalues_and_mass(on_clusters(k)[2])
    return int(np.sum(np.clip(w, 0, 1) ** t > NEAR))


def _clusters():
    def measure():
        found = ((rows, P.power(BEFORE, rows)) for rows, P, _ in map(on_clusters, CLUSTERS))
        return np.array([groups(after, rows) for rows, after in found], float)

    def predict(c):
        return c["groups"] * np.array([_near_one(k, BEFORE) for k in CLUSTERS])

    return Exact(measure, predict, 1e-9, shown=2, x_label="clusters, after 50 steps", x=CLUSTERS)


def merging(k=CLUSTERS[-1]):
    """(steps, groups of rows of P^t H, eigenvalues with w^t above NEAR) over many steps."""
    rows, P, _ = on_clusters(k)
    steps, A = 2 ** np.arange(1, 21), P.toarray()
    after = [np.linalg.matrix_power(A, int(t)) @ rows for t in steps]
    return steps, [groups(moved, rows) for moved in after], [_near_one(k, t) for t in steps]


# --- several heads --------------------------------------------------------------------------------------


def _heads():
    """H_new of a module with values is sum_h P_h H A_h, A_h = (Wo_h Wv_h)^T: heads add up."""
    module = on_the_loop(30, 1, embed_dim=12, num_heads=2, values=True)
    Wv, Wo = (module.state[f"layers.0.{name}.weight"] for name in ("v_proj", "out_proj"))
    columns = np.split(np.arange(len(Wv)), 2)
    A = [(Wo[:, part] @ Wv[part]).T for part in columns]
    heads = [loop_world(module, h, lambda u, h=h: module.hidden(loop(u)) @ A[h]) for h in range(2)]

    def measure(eps):
        n = max(_tokens(world, eps) for world in heads)
        before, after = module.step(loop(angles(n)), 2 * eps)
        return ((after - before @ (A[0] + A[1])) / eps)[:: n // N_PLACES]

    def predict(c):
        return sum(c["half"] * (world.laplacian + c["drift"] * world.drift) for world in heads)

    return Limit(measure, predict, LEVELS)


# --- theorems 5 and 6 -----------------------------------------------------------------------------------


class DotScore:
    """A trained self-attention on the curve: f(x, y) = -<Q h(x), K h(y)> has its minimum over y elsewhere."""

    def __init__(self):
        self.module = on_the_loop(attention="dot", map_width=None)
        projections = self.module.state["layers.0.in_proj_weight"]
        self.Q, self.K = np.split(projections, 2)
        u = angles(N_PLACES)
        self.asked = (self.hidden(u) @ self.Q.T)[self._steep(u)]
        self.rows = np.flatnonzero(self._steep(u))
        self.arrived = self._minimizers()

    def hidden(self, u):
        return self.module.hidden(loop(u))

    def _steep(self, u):
        """Queries whose scores say clearly where they look."""
        scores = self.hidden(u) @ self.Q.T @ (self.hidden(angles(400)) @ self.K.T).T
        return np.ptp(scores, axis=1) > 4.0

    def cost(self, y):
        """f(x_i, y_i) of the asked rows."""
        return -calculus.dot(self.asked, self.hidden(y) @ self.K.T)

    def _minimizers(self):
        """y*(x), by a search over angles and Newton steps."""
        fine = angles(2000)
        y = fine[np.argmax(self.asked @ (self.hidden(fine) @ self.K.T).T, axis=1)]
        for _ in range(8):
            y = y - calculus.gradient(self.cost)(y) / calculus.hessian(self.cost)(y)[:, 0]
        return y

    def after(self, eps):
        """H_new of the asked rows under exp(-f/(2 eps))."""
        steepest = calculus.hessian(self.cost)(self.arrived).max()
        n = N_PLACES * int(np.ceil(2 * np.pi * worlds.STEPS * np.sqrt(steepest / eps) / N_PLACES))
        return self.module.step(loop(angles(n)), 2 * eps)[1][:: n // N_PLACES][self.rows]


def _theorem_5():
    score = dot_score()
    return Limit(score.after, lambda c: c["value"] * score.hidden(score.arrived), halved(0.02))


def _theorem_5_first():
    """c^-1 H'' - c^-2 f''' H' (tokens are even in u, so log p has no slope)."""
    score = dot_score()
    y = score.arrived

    @cache
    def parts():
        C = calculus.hessian(score.cost)(y)[:, 0]
        third = calculus.gradient(calculus.hessian(score.cost))(y)[:, 0, 0]
        slope, second = (
            calculus.gradient(score.hidden)(y)[..., 0],
            calculus.hessian(score.hidden)(y)[..., 0, 0],
        )
        return second / C, third / C**2 * slope

    def predict(c):
        diffusion, bend = parts()
        return c["diffusion"] * diffusion - c["bend"] * bend

    return Limit(lambda eps: (score.after(eps) - score.hidden(y)) / eps, predict, halved(0.01), 5e-3)


dot_score = cache(DotScore)


@cache
def on_a_line():
    """(module, its metric of rows) of metric-attention on one column of H, which tells one of three bumps.

    Rows of the plane that the first linear map sends to the same number are the same to it.
    """
    centers, label = np.array([[-0.9, 0.4], [1.0, 0.7], [0.2, -1.1]]), np.arange(150) % 3
    x = centers[label] + 0.5 * np.random.default_rng(0).normal(size=(150, 2))
    settings = {"embed_dim": 1, "map_width": 8, "n_layers": 1, "max_epochs": 60, "batch_size": len(x)}
    network = lw.PropagationClassifier("metric", random_state=1, **settings).fit(x, label == 1).network_
    return Module(network), network.input_metric()


def _theorem_6(first_order):
    """Keys that a map cannot tell apart: the expectation over them, or what diffuses across them."""
    (module, metric), world = on_a_line(), transport.plane()
    W, b = module.state["input.weight"], module.state["input.bias"]
    fibers, t = transport.Fibers(W, world.log_density, world.f), world.places @ W.T
    line = worlds.World(
        lambda t: module.phi(t + b), lambda t: np.log(fibers.mass(t)), fibers.expectation, t, None
    )
    steepest = np.sqrt(line.metric(np.linspace(-6, 6, 200)[:, None]).max()) * np.linalg.norm(W)

    def step(eps):
        mechanism = lw.Mechanism(metric=metric, kernel=lw.kernels.Exponential(2 * eps))
        return world.propagate(mechanism, np.sqrt(eps) / steepest)

    if first_order:
        return Limit(
            lambda eps: (step(eps) - fibers.expectation(t)) / eps,
            lambda c: c["half"] * line.laplacian + c["drift"] * line.drift,
            halved(0.04),
            4e-3,
        )

    def predict(c):
        return transport.Fibers(W, world.log_density, world.f, c["weight"]).expectation(t)

    return Limit(step, predict, halved(0.04))


# --- the values -----------------------------------------------------------------------------------------


def _rows():
    step = "(H_new - H)/ε → (Lap_g H + 2 <∇log p, ∇H>)/2, g = φ* of the trained φ"
    yield (
        "theorem 3, a module trained on a curve",
        f"{step}; ε from the 1/2 of training down",
        "paper, theorem 3",
        later(_theorem_3),
        {"half": 0.5, "laplacian": 1.0, "drift": 2.0},
    )
    yield (
        "theorem 3, a module trained on a sphere",
        step,
        "paper, theorem 3",
        later(_theorem_3_on_the_sphere),
        {"half": 0.5, "laplacian": 1.0, "drift": 2.0},
    )
    yield (
        "theorem 4, the same module on the curve",
        "n = 1: → p⁻⁴ Lap_ḡ H/2, ḡ = p⁻⁴ g; without the heat capacity p⁴ it fails",
        "paper, theorem 4",
        later(_theorem_4),
        {"half": 0.5, "metric": 2.0, "clock": 4.0},
    )
    yield (
        "a metric m times smaller",
        "φ/m for φ, g/m²: diffusion and drift are m² times as fast, m = 3",
        "paper, after theorem 4",
        later(_scaled_metric),
        {"power": 2.0},
    )
    yield (
        "heads add up",
        "H_new = Σ_h P_h H A_h: (H_new - H Σ A_h)/ε → Σ_h (Lap_gh + 2 <∇log p_h, ∇>) H A_h/2, two heads",
        "paper, section 3.3",
        later(_heads),
        {"half": 0.5, "drift": 2.0},
    )
    yield (
        "only constants stay",
        "P^t H → Σ π_i H_i in every row, π_i ~ mass of row i (rank collapse)",
        "paper, after theorem 4",
        later(_only_constants),
        {"mass": 1.0},
    )
    yield (
        "the rate of the collapse",
        "|P^(t+1) H - mean| / |P^t H - mean| → second eigenvalue of P",
        "paper, after theorem 4",
        later(_collapse_rate),
        {"rate": 1.0},
    )
    yield (
        "eigenvalues near 1 count clusters",
        "before clusters merge, P^t H has as many groups of rows as P has eigenvalues with w^t > 1/20",
        "paper, after theorem 4",
        later(_clusters),
        {"groups": 1.0},
    )
    yield (
        "theorem 5, trained self-attention",
        "f = -<Q h(x), K h(y)>: H_new(x) → H(y*)",
        "paper, theorem 5",
        later(_theorem_5),
        {"value": 1.0},
    )
    yield (
        "theorem 5, its first order",
        "(H_new(x) - H(y*))/ε → c⁻¹ H'' - c⁻² f''' H'",
        "paper, theorems 5 and 6 as corrected",
        later(_theorem_5_first),
        {"diffusion": 1.0, "bend": 1.0},
    )
    yield (
        "theorem 6, a module on one column",
        "a trained φ(W x + b), W a row: H_new(x) → E[H(Y) | W Y = W x]",
        "paper, theorem 6",
        later(_theorem_6, first_order=False),
        {"weight": 1.0},
    )
    yield (
        "theorem 6, its first order",
        "(H_new - E)/ε → Lap_g E/2 + <∇log D, ∇E> on the line t = W x, g = φ*, D the density there",
        "paper, theorem 6 as corrected",
        later(_theorem_6, first_order=True),
        {"half": 0.5, "drift": 1.0},
    )


CHECKS = checks(GROUP, _rows())
