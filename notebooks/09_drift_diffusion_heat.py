# %% [markdown]
# # Drift, diffusion and heat: the limits, seen; and what a finite sample does to them
#
# One step of attention, or of kernel regression, replaces the value at a point by a mean over its
# neighbors. What does such a step do to a function when the kernel gets narrow, and how much of that is
# left when there are only some points instead of infinitely many?
#
# You will see that the step becomes a drift toward dense places plus diffusion, read off both constants,
# change them by turning a slot, and watch many steps become heat flow. Then we draw points at random, find
# the bandwidth at which bias and noise balance, estimate the drift of a data set with standard errors, and
# see clusters form before everything becomes one.

# %%
import os

import matplotlib.pyplot as plt
import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.special import ive
from scipy.stats import norm

import likewise as lw
from likewise import kernels, normalizations, plots, theory

QUICK = bool(os.environ.get("LIKEWISE_QUICK"))  # small sizes, for the tests
N_GRID = 400 if QUICK else 1200  # nodes on the circle
BLUE, ORANGE, GREEN, PURPLE = plots.CLASS_COLORS[:4]

# %% [markdown]
# ## A world without sampling noise
#
# Points lie on the unit circle, at angles $\theta$ with density $p(\theta) \propto e^{\kappa \sin\theta}$
# (von Mises), $\kappa = 0.8$. A random sample would blur what we look at. So the keys lie on a fine even
# grid, and each counts with the density there: it goes in as a key weight $\log p$. An even grid on a
# circle integrates so well that nothing but the limit is left.
#
# $$P f(\theta) = \frac{\sum_j e^{-d^2(\theta, \theta_j)/(2\varepsilon)}\, p(\theta_j)\, f(\theta_j)}
# {\sum_j e^{-d^2(\theta, \theta_j)/(2\varepsilon)}\, p(\theta_j)},
# \qquad \varepsilon = h^2,\ h\ \text{the bandwidth.}$$

# %%
KAPPA = 0.8


def circle(theta):
    return np.c_[np.cos(theta), np.sin(theta)]


def f(theta):
    return np.sin(theta) + 0.5 * np.cos(3 * theta)


def f_slope(theta):
    return np.cos(theta) - 1.5 * np.sin(3 * theta)


def f_second(theta):
    return -np.sin(theta) - 4.5 * np.cos(3 * theta)


theta = np.arange(N_GRID) * 2 * np.pi / N_GRID
log_p, log_p_slope = KAPPA * np.sin(theta), KAPPA * np.cos(theta)
keys = circle(theta)
gaussian = lw.Mechanism(metric="euclidean", kernel=kernels.Gaussian(0.5), normalization="row")


def on_the_circle(eps, **slots):
    """The operator from the grid to itself, keys weighted by the density."""
    mechanism = gaussian.replace(kernel=kernels.Gaussian(np.sqrt(eps)), **slots)
    return mechanism.operator(keys, keys, log_key_weights=log_p)


P = on_the_circle(0.01)
weights = np.exp(-((keys[:, None] - keys) ** 2).sum(axis=-1) / (2 * 0.01) + log_p)
assert np.allclose(P @ f(theta), weights @ f(theta) / weights.sum(axis=1), atol=1e-12)  # the formula above
gaussian

# %%
_, (left, right) = plt.subplots(1, 2, figsize=(11.5, 3.3), layout="constrained")
left.fill_between(theta, np.exp(log_p) / 2, color="#c3c8d0", label="density (scaled)")
left.plot(theta, f(theta), color="black", label="f")
for eps, color in ((0.2, ORANGE), (0.05, BLUE)):
    left.plot(theta, on_the_circle(eps) @ f(theta), color=color, label=f"P f, ε = {eps}")
limit = f_second(theta) / 2 + log_p_slope * f_slope(theta)
right.plot(theta, limit, color="#c3c8d0", linewidth=5, label="limit: f''/2 + (log p)' f'")
right.plot(theta, f_second(theta) / 2, ":", color="black", label="f''/2 alone")
for eps, color, look in ((0.2, ORANGE, "--"), (0.05, BLUE, "-."), (0.005, GREEN, "-")):
    change = (on_the_circle(eps) @ f(theta) - f(theta)) / eps
    right.plot(theta, change, look, color=color, label=f"(P f - f)/ε, ε = {eps}")
    print(f"eps {eps:5}: largest distance from the limit {abs(change - limit).max():.3f}")
left.set(title="A step smooths f, and less so when narrow", xlabel="angle θ")
right.set(title="What it changes, divided by ε, has a limit", xlabel="angle θ")
left.legend(fontsize=8)
right.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.02, 0.5))
plt.show()

# %% [markdown]
# The step itself vanishes with $\varepsilon$. Divided by $\varepsilon$ it does not: it comes to lie on the
# gray curve, which is not half the second derivative alone (dotted).
#
# ## The two constants
#
# Theory says what the limit is (Coifman and Lafon 2006; Hein, Audibert and von Luxburg 2007; theorem 3 of
# Ruan and Zhang 2024):
#
# $$P f - f = \tfrac{\varepsilon}{2}\,\bigl(a\, \Delta f + b\, \langle\nabla \log p, \nabla f\rangle\bigr)
# + O(\varepsilon^2), \qquad a = 1,\ b = 2.$$
#
# $a$ is **diffusion**, as in heat. $b$ is **drift**: a walker goes uphill in $\log p$, because there are
# more neighbors on the dense side. We do not take the constants on trust. On the grid, $2 (P f -
# f)/\varepsilon$ is fitted by least squares with the two columns $f''$ and $(\log p)' f'$. As the error is
# about proportional to $\varepsilon$, the value $2 G(\varepsilon/2) - G(\varepsilon)$ has lost that part of
# it (Richardson).


# %%
columns = np.stack([f_second(theta), log_p_slope * f_slope(theta)], axis=1)


def constants(eps, **slots):
    """(a, b) of 2 (P f - f)/eps = a f'' + b (log p)' f'."""
    change = 2 * (on_the_circle(eps, **slots) @ f(theta) - f(theta)) / eps
    return np.linalg.lstsq(columns, change, rcond=None)[0]


levels = 0.08 / 2 ** np.arange(6)
measured = np.array([constants(eps) for eps in levels])
print("     eps   diffusion a   drift b")
for eps, (a, b) in zip(levels, measured):
    print(f"{eps:8.4f}   {a:11.4f}   {b:7.4f}")
richardson = 2 * measured[-1] - measured[-2]
print(f"Richardson {richardson[0]:11.4f}   {richardson[1]:7.4f}")
assert np.allclose(richardson, [1, 2], atol=2e-3)

# %% [markdown]
# One and two. The 2 is worth a look: the last line of the paper's proof of theorem 3 prints the drift
# without it, while the theorem has it. The measurement says which is right.
#
# ## The order, read off a line
#
# A claim that an error is of order $\varepsilon$ is a claim about a slope. On two logarithmic axes the
# error must fall on a line of slope 1, and that of the Richardson values on one of slope 2. A constant that
# is 5 % off shows as a line that stops falling.


# %%
def slope(x, y):
    """Of log y over log x."""
    return np.polyfit(np.log(x), np.log(y), 1)[0]


changes = np.stack([2 * (on_the_circle(eps) @ f(theta) - f(theta)) / eps for eps in levels])


def error(values, drift=2.0):
    """Largest distance from the limit, as a share of its largest value."""
    wanted = f_second(theta) + drift * log_p_slope * f_slope(theta)
    return abs(values - wanted).max(axis=-1) / abs(wanted).max()


plain, mixed = error(changes), error(2 * changes[1:] - changes[:-1])
_, ax = plt.subplots(figsize=(6.4, 4), layout="constrained")
ax.loglog(levels, plain, "o-", color=BLUE, label=f"measured, slope {slope(levels[-3:], plain[-3:]):.2f}")
of_mixed = slope(levels[-3:], mixed[-3:])
ax.loglog(levels[1:], mixed, "s--", color=GREEN, label=f"Richardson, slope {of_mixed:.2f}")
ax.loglog(levels, error(changes, 2 * 1.05), "^:", color=ORANGE, label="against a drift that is 5 % too large")
ax.loglog(levels, error(changes, 1.0), "v:", color=PURPLE, label="against the drift without its 2")
ax.set_xticks(levels, [f"{eps:g}" for eps in levels])
ax.minorticks_off()
ax.set(xlabel="ε", ylabel="error, share of the largest value")
ax.set_title("Only the right constants let the error fall at order 1")
ax.legend(fontsize=8)
print(f"observed orders: plain {slope(levels[-3:], plain[-3:]):.3f}, Richardson {of_mixed:.3f}")
assert abs(slope(levels[-3:], plain[-3:]) - 1) < 0.1
plt.show()

# %% [markdown]
# `likewise theory` on the command line runs many such checks, on curves, surfaces and learned maps, each
# with its order. Here is one of them from Python; a check can also be run under a wrong constant, and must
# then fail.

# %%
print(f"{sum(not check.monte_carlo for check in theory.CHECKS)} checks without sampling")
check = next(check for check in theory.CHECKS if check.name == "limit of exp(-d²/2ε), torus")
for changed in ({}, {"drift": 1.05}):
    found = check.run(**changed)
    print(f"{check.name}, {changed or check.constants}: order {found.order:.2f}, passed: {found.passed}")

# %% [markdown]
# ## Slots that change the limit
#
# * **Normalization.** `Density(alpha)` divides each weight by the density of both points to the power
#   $\alpha$, then rows by their sums. Theory: $b = 2 - 2\alpha$, so $\alpha = 1$ leaves only the geometry
#   (Coifman and Lafon 2006). Sinkhorn's scaling, rows and columns both 1, should be the limit of $\alpha =
#   1/2$.
# * **Metric.** With $d^2 = (x - z)^T M (x - z)$ the Laplacian becomes $\mathrm{tr}(M^{-1} \nabla^2 f)$ and
#   the drift $2 \langle M^{-1} \nabla \log p, \nabla f\rangle$: the metric decides which direction is near.

# %%
laws = {
    "rows": (normalizations.RowStochastic(), 2),
    "Density(1/2)": (normalizations.Density(0.5), 1),
    "Sinkhorn": (normalizations.Bistochastic(), 1),
    "Density(1)": (normalizations.Density(1.0), 0),
}
fitted = {}
print(f"{'':<14}   diffusion a   drift b   theory")
for name, (law, drift) in laws.items():
    coarse, fine = (constants(eps, normalization=law) for eps in levels[-2:])
    fitted[name] = 2 * fine - coarse
    print(f"{name:<14}   {fitted[name][0]:11.3f}   {fitted[name][1]:7.3f}   1 and {drift}")
    assert np.allclose(fitted[name], [1, drift], atol=0.01)

# %%
_, ax = plt.subplots(figsize=(8, 3.8), layout="constrained")
looks = zip(laws.items(), (BLUE, GREEN, ORANGE, PURPLE), ("-", "-", ":", "-"), (1.8, 1.8, 3, 1.8))
for (name, (law, _)), color, look, width in looks:
    P = on_the_circle(0.0025, normalization=law)
    label = f"{name}: drift {fitted[name][1]:.2f}"
    ax.plot(theta, 2 * (P @ f(theta) - f(theta)) / 0.0025, look, color=color, linewidth=width, label=label)
ax.plot(theta, f_second(theta), "x", markevery=N_GRID // 40, color="black", label="f'', no drift at all")
ax.set(xlabel="angle θ", ylabel="2 (P f - f)/ε at ε = 0.0025")
ax.set_title("Normalization turns the drift down: α = 1 removes it, Sinkhorn is α = 1/2")
ax.legend(fontsize=8, ncols=2)
plt.show()

# %% [markdown]
# The four laws share their diffusion; only the drift changes. For the metric we go to the plane, with the
# same trick: a grid of keys around the origin, weighted by a density whose gradient there is known. The
# mean and the second moment of where one step takes the origin give drift and diffusion without any
# function $f$.

# %%
M = np.array([[2.0, 1.2], [1.2, 1.5]])
side = np.linspace(-1.2, 1.2, 61 if QUICK else 121)
plane = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
log_density, to_dense = (
    plane @ [0.6, -0.9],
    np.array([0.6, -0.9]),
)  # log p is linear: its gradient is constant
eps, origin = 0.02, np.zeros((1, 2))
stretched = lw.Mechanism(metric=lw.metrics.Mahalanobis.from_matrix(M), kernel=kernels.Gaussian(np.sqrt(eps)))
_, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained", sharey=True)
for ax, mechanism, inverse in zip(
    axes, (gaussian.replace(kernel=kernels.Gaussian(np.sqrt(eps))), stretched), (np.eye(2), np.linalg.inv(M))
):
    w = mechanism.operator(origin, plane, log_key_weights=log_density).toarray()[0]
    drift = w @ plane / eps
    diffusion = (plane.T * w) @ plane / eps - eps * np.outer(drift, drift)
    assert np.allclose(diffusion, inverse, atol=1e-6) and np.allclose(drift, inverse @ to_dense, atol=1e-6)
    ax.contourf(side, side, w.reshape(len(side), -1), levels=8, cmap="Blues")
    ax.arrow(0, 0, *(0.4 * drift), width=0.015, color=ORANGE, label="drift (scaled)")
    ax.arrow(0, 0, *(0.4 * to_dense), width=0.006, color="black", label="∇log p (scaled)")
    ax.set(xlim=(-0.8, 0.8), ylim=(-0.8, 0.8), aspect="equal", xlabel="$x_1$")
    name = type(mechanism.metric).__name__
    print(f"{name:<17} diffusion {diffusion.round(3).tolist()}, drift {drift.round(3)}")
    said = "the gradient" if mechanism is not stretched else "$M^{-1}$ times the gradient"
    ax.set_title(f"{name}: the drift is {said}", fontsize=10)
axes[0].set_ylabel("$x_2$")
axes[0].legend(fontsize=8, loc="upper left")
plt.show()

# %% [markdown]
# Blue are the weights of one step from the origin. Under the Mahalanobis metric it spreads along the
# direction in which $M$ is short, and the drift turns toward it: both are multiplied by $M^{-1}$, exactly
# so here, as $\log p$ is linear. A learned metric therefore decides not only who is near, but where
# information moves.
#
# ## Many steps: heat
#
# On an even circle the drift is 0, and one step is the start of the heat equation $\partial_t u = \tfrac12
# \Delta u$ with $\varepsilon$ as its time. Its modes $\cos k\theta$ fade as $e^{-k^2 \varepsilon/2}$. The
# operator has the same modes, and its eigenvalues are known exactly: $I_k(1/\varepsilon) /
# I_0(1/\varepsilon)$, Bessel functions.

# %%
n_even, h = 200, 0.2
angles = np.arange(n_even) * 2 * np.pi / n_even
even = gaussian.replace(kernel=kernels.Gaussian(h)).operator(circle(angles))
w, _ = even.eigsh(17)
k = np.array([0, *np.repeat(np.arange(1, 9), 2)])  # each mode but the constant comes twice
bessel, heat = ive(k, 1 / h**2) / ive(0, 1 / h**2), np.exp(-(k**2) * h**2 / 2)
assert np.allclose(w, bessel, atol=1e-10)
_, ax = plt.subplots(figsize=(6.4, 3.4), layout="constrained")
ax.plot(k, heat, color="#c3c8d0", linewidth=5, label="heat: exp(-k² ε/2)")
ax.plot(k, bessel, "s", mfc="none", markersize=9, color=ORANGE, label="exact: Bessel functions")
ax.plot(k, w, ".", color=BLUE, label="eigenvalues of P")
ax.set(xlabel="mode k", ylabel="what one step leaves of it")
ax.set_title(f"At ε = {h**2:.2f} slow modes fade as heat does")
ax.legend(fontsize=8)
for mode in (1, 3, 8):
    i = 2 * mode
    print(f"mode {mode}: P {w[i]:.4f}, heat {heat[i]:.4f}")
plt.show()

# %% [markdown]
# How well do repeated steps follow? `theory.heat_flow` lays powers $P^t f$ beside the semigroup $e^{-t(I -
# P)} f$ of the spectrum. In the second, time is continuous: each instant moves a little, and does so as
# long as $t$ steps take. A mode with eigenvalue $w$ is $w^t$ in one and $e^{-t(1-w)}$ in the other.

# %%
slow_and_fast = np.cos(angles) + np.cos(6 * angles)
mechanism = gaussian.replace(kernel=kernels.Gaussian(h))
flow = theory.heat_flow(circle(angles), mechanism, slow_and_fast, np.arange(0, 61, 3))
slow = theory.heat_flow(circle(angles), mechanism, np.cos(angles), np.arange(0, 61, 3))
_, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
flow.plot(left)
left.set_title("f = cos θ + cos 6θ: not yet mixed", fontsize=10)
right.semilogy(flow.times[1:], flow.difference[1:], "o-", color=ORANGE, label="cos θ + cos 6θ")
right.semilogy(slow.times[1:], slow.difference[1:], "s-", color=BLUE, label="cos θ alone")
right.set(xlabel="steps t", ylabel="|P^t f - heat flow| / |f - mean|")
right.set_title("They differ while the fast mode lives", fontsize=10)
right.legend(fontsize=8)
print(
    f"largest difference: {flow.difference.max():.3f} with the fast mode, {slow.difference.max():.1e} without"
)
w_1 = w[1]
print(f"slow mode, 60 steps: w^t {w_1**60:.4f}, exp(-t(1 - w)) {np.exp(-60 * (1 - w_1)):.4f}, "
      f"heat equation {np.exp(-60 * h**2 / 2):.4f}")  # fmt: skip
plt.show()

# %% [markdown]
# The slow mode fades alike in all three, up to a few percent after 60 steps; for the fast one a step is too
# coarse to be called an instant. A deep stack of attention layers without anything else is such a power:
# what it keeps are the slowest modes.
#
# ## The edge
#
# All this holds inside. At an edge of the data half of the neighbors are missing, the mean leans inward,
# and the step is of order $\sqrt\varepsilon$ instead of $\varepsilon$. At $t\sqrt\varepsilon$ from the
# edge, with $n$ and $N$ the density and distribution of a standard normal,
#
# $$P f - f \approx \sqrt{\varepsilon}\, \frac{n(t)}{N(t)}\, \partial_{\text{inward}} f,
# \qquad \text{at the edge } \sqrt{2\varepsilon/\pi}\ \partial_{\text{inward}} f.$$
#
# Take $f(x) = x$ on $[0, 1]$, even density: inside, its limit is 0. The keys are Gauss-Legendre nodes,
# their quadrature weights the key weights.

# %%
nodes, quadrature = np.polynomial.legendre.leggauss(400)
inside = (nodes[:, None] + 1) / 2
_, (left, right) = plt.subplots(1, 2, figsize=(10, 3.5), layout="constrained")
t = np.linspace(0, 5, 26)
right.plot(t, norm.pdf(t) / norm.cdf(t), color="#c3c8d0", linewidth=5, label="n(t)/N(t)")
for eps, color, look in ((0.004, ORANGE, "o"), (0.001, BLUE, "x"), (0.0004, GREEN, ".")):
    narrow = gaussian.replace(kernel=kernels.Gaussian(np.sqrt(eps)))
    x = np.linspace(0, 1, 201)[:, None]
    moved = narrow.operator(x, inside, log_key_weights=np.log(quadrature)) @ inside[:, 0] - x[:, 0]
    left.plot(x, moved / eps, color=color, label=f"ε = {eps}")
    near = t[:, None] * np.sqrt(eps)
    moved = narrow.operator(near, inside, log_key_weights=np.log(quadrature)) @ inside[:, 0] - near[:, 0]
    right.plot(t, moved / np.sqrt(eps), look, markersize=5, color=color, label=f"ε = {eps}")
    print(f"eps {eps:6}: at the edge {moved[0] / np.sqrt(eps):.5f} sqrt(eps), "
          f"at 5 sqrt(eps) {moved[-1] / np.sqrt(eps):.1e} sqrt(eps)")  # fmt: skip
print(f"theory: sqrt(2/pi) = {np.sqrt(2 / np.pi):.5f}, n(5)/N(5) = {norm.pdf(5) / norm.cdf(5):.1e}")
left.set(title="(P f - f)/ε of f = x blows up at the ends", xlabel="x", ylabel="(P f - f)/ε")
right.set(title="In units of √ε all are one layer", xlabel="distance from the edge, in √ε",
          ylabel="(P f - f)/√ε")  # fmt: skip
left.legend(fontsize=8)
right.legend(fontsize=8)
plt.show()

# %% [markdown]
# The layer is a few $\sqrt\varepsilon$ wide, so it shrinks, but in it the estimate gets worse as
# $\varepsilon \to 0$. Whoever estimates a generator or a drift leaves out $5 \sqrt\varepsilon$ at the
# edges.
#
# ## A finite sample
#
# Now draw $n$ points at random from $p$, as data are. The step is a mean over about $n \sqrt\varepsilon$
# neighbors (in dimension $m$: $n\, \varepsilon^{m/2}$), and its noise is divided by $\varepsilon$. Theory
# (Singer 2006):
#
# $$\text{bias} \sim \varepsilon, \qquad
# \text{standard deviation} \sim n^{-1/2}\, \varepsilon^{-1/2 - m/4}, \qquad
# \text{best } \varepsilon \sim n^{-1/(3 + m/2)}.$$
#
# We measure all three on the circle, $m = 1$, with fresh samples at eight angles. The error is that of $(P
# f - f)/\varepsilon$ as an estimate of its limit.

# %%
REPEATS = 30 if QUICK else 200
counts = (500, 2000, 8000) if QUICK else (1000, 4000, 16000, 64000)
sample_eps = np.geomspace(0.008, 0.3, 8 if QUICK else 12)
asked = np.arange(8) * np.pi / 4 + 0.3
truth = f_second(asked) / 2 + KAPPA * np.cos(asked) * f_slope(asked)


def estimates(n, rng):
    """(P f - f)/eps at the asked angles from n random points, one row for each eps."""
    drawn = rng.vonmises(np.pi / 2, KAPPA, n)
    means = [
        gaussian.replace(kernel=kernels.Gaussian(np.sqrt(e))).operator(circle(asked), circle(drawn))
        @ f(drawn)
        for e in sample_eps
    ]
    return (np.array(means) - f(asked)) / sample_eps[:, None]


rng = np.random.default_rng(0)
found = {n: np.stack([estimates(n, rng) for _ in range(REPEATS)]) for n in counts}
deviation = {n: np.sqrt(values.var(axis=0, ddof=1).mean(axis=1)) for n, values in found.items()}
total = {n: np.sqrt(((values - truth) ** 2).mean(axis=(0, 2))) for n, values in found.items()}


# The bias needs no sample: it is what the grid, infinitely many points, gives.
def on_the_grid(eps):
    mechanism = gaussian.replace(kernel=kernels.Gaussian(np.sqrt(eps)))
    P = mechanism.operator(circle(asked), keys, log_key_weights=log_p)
    return (P @ f(theta) - f(asked)) / eps


of_grid = np.stack([on_the_grid(eps) for eps in sample_eps])
bias = np.sqrt(((of_grid - truth) ** 2).mean(axis=1))


# %%
def valley(n):
    """The eps of the least error, by a parabola through the lowest points on logarithmic axes."""
    at = np.clip(total[n].argmin(), 2, len(sample_eps) - 3)
    x, y = np.log(sample_eps[at - 2 : at + 3]), np.log(total[n][at - 2 : at + 3])
    second, first, _ = np.polyfit(x, y, 2)
    return np.exp(-first / (2 * second))


best = np.array([valley(n) for n in counts])
_, (left, middle, right) = plt.subplots(1, 3, figsize=(12, 3.8), layout="constrained")
n = counts[1]
left.loglog(sample_eps, bias, "s--", color=ORANGE, label="bias, without sampling")
left.loglog(sample_eps, deviation[n], "^:", color=GREEN, label="standard deviation")
left.loglog(sample_eps, total[n], "o-", color=BLUE, label="root mean squared error")
left.set(title=f"n = {n}: narrow is noisy, wide is biased", xlabel="ε", ylabel="error of (P f - f)/ε")
for n, shade, look in zip(counts, np.linspace(0.35, 1, len(counts)), "o^sD"):
    middle.loglog(sample_eps, total[n], look + "-", color=BLUE, alpha=shade, markersize=4, label=f"n = {n}")
    middle.axvline(valley(n), color=ORANGE, linewidth=0.8)
middle.set(title="More points: a narrower best ε", xlabel="ε (lines: the best)")
right.loglog(counts, best, "o-", color=BLUE, label=f"measured, slope {slope(counts, best):.2f}")
right.loglog(counts, best[-1] * (np.array(counts) / counts[-1]) ** (-2 / 7), color="#c3c8d0", linewidth=4,
             label=f"theory, slope {-2 / 7:.2f}")  # fmt: skip
right.set(title="The best ε falls slowly", xlabel="n", ylabel="best ε")
for ax in (left, middle, right):
    ax.legend(fontsize=8)
in_n = slope(counts, [np.exp(np.log(deviation[n]).mean()) for n in counts])
in_eps = slope(sample_eps[:5], deviation[counts[-1]][:5])
print(f"standard deviation: exponent in n {in_n:.3f} (theory -0.5), in eps {in_eps:.3f} (theory -0.75)")
print(f"best eps: exponent in n {slope(counts, best):.3f} (theory {-2 / 7:.3f}); ", end="")
print(", ".join(f"n = {n}: {e:.3f}" for n, e in zip(counts, best)))
least = np.array([total[n].min() for n in counts]) / np.sqrt((truth**2).mean())
print("least error, share of the value:", *least.round(3))
print("it shrinks by", *(least[:-1] / least[1:]).round(2), f"(theory {4 ** (2 / 7):.2f})")
assert abs(in_n + 0.5) < 0.1 and abs(in_eps + 0.75) < 0.2
plt.show()

# %% [markdown]
# The exponents come out near theory's; not exactly, as these are finite $\varepsilon$ and finite repeats
# (`likewise theory --full` gives them with intervals). The last lines are the price. From one size to the
# next there are four times as many points, and the error shrinks only by a factor of about $4^{2/7}$.
# Second derivatives of noisy means are expensive, and in more dimensions they cost more still.
#
# ## The drift of a data set
#
# For data nobody knows $p$. `theory.drift_diffusion(X, mechanism)` estimates drift and diffusion of one
# step at each point, with standard errors, from the other points. To be able to judge it, we draw data
# whose density is known: three normal blobs. For a Gaussian kernel in flat space the drift is $\nabla \log
# p_\varepsilon$ exactly, with $p_\varepsilon$ the density blurred by the kernel, again a mixture of
# normals, of variance $\sigma^2 + \varepsilon$.

# %%
centers, sigma = np.array([[-1.5, 0.0], [1.5, 0.3], [0.2, 2.2]]), 0.55
n_blobs = 300 if QUICK else 450
X = centers[np.arange(n_blobs) % 3] + sigma * np.random.default_rng(0).normal(size=(n_blobs, 2))


def exact_drift(X, eps):
    """grad log of the mixture of normals with variance sigma^2 + eps."""
    away = centers - X[:, None]
    share = np.exp(-(away**2).sum(axis=-1) / (2 * (sigma**2 + eps)))
    share /= share.sum(axis=1, keepdims=True)
    return (share[..., None] * away).sum(axis=1) / (sigma**2 + eps)


def fields_of(h, **how):
    return theory.drift_diffusion(X, gaussian.replace(kernel=kernels.Gaussian(h)), **how)


_, axes = plt.subplots(1, 2, figsize=(10, 4.3), layout="constrained", sharey=True)
for ax, h in zip(axes, (0.2, 0.4)):
    fields = fields_of(h, leave_out=True)
    known = ~np.isnan(fields.drift[:, 0])
    off = abs(fields.drift - exact_drift(X, h**2))[known] / fields.drift_error[known]
    clear = np.linalg.norm(fields.drift[known] / fields.drift_error[known], axis=1) > 2
    fields.plot(ax)
    ax.set_title(f"h = {h}: {clear.mean():.0%} of the arrows are clear, {(~known).sum()} points left out")
    share, error_there = np.mean(off < 1.96), np.median(fields.drift_error[known])
    print(f"h = {h}: effective neighbors {np.median(fields.n_neighbors):.0f} (median)", end="; ")
    print(f"standard error {error_there:.2f}; exact drift within 1.96 of them: {share:.0%}")
axes[1].get_legend().remove()
plt.show()

# %% [markdown]
# Arrows point to the three centers. Dark ones leave 0 out by two standard errors. Crosses are points with
# fewer than ten effective neighbors, $1/\sum_j w_{ij}^2$, where a mean has no standard error worth the
# name. The standard errors can be believed: close to 95 % of the coordinates lie within 1.96 of them. But
# they know nothing of the bias: they are about $\nabla \log p_\varepsilon$, not $\nabla \log p$. How far
# are these apart?

# %%
print("   h   drift of p_eps / drift of p   median standard error / median drift   points left out")
for h in (0.15, 0.2, 0.3, 0.4, 0.6, 0.9):
    fields = fields_of(h, leave_out=True)
    known = ~np.isnan(fields.drift[:, 0])
    wanted = exact_drift(X, 0.0)[known]
    shrunk = (exact_drift(X, h**2)[known] * wanted).sum() / (wanted**2).sum()
    noise = np.median(fields.drift_error[known]) / np.median(abs(fields.drift[known]))
    print(f"{h:4}   {shrunk:27.2f}   {noise:36.2f}   {(~known).sum():16}")
try:
    fields_of(0.05)
except ValueError as refused:
    print(f"\nh = 0.05: {refused}")

# %% [markdown]
# The same trade as above, on data: wide kernels have small standard errors around too small a drift. And
# without `leave_out=True` the function refuses rather than give numbers that are none, and says which point
# shows it.
#
# ## Clusters before they merge
#
# On a connected set only constants stay where they are, so $P^t X$ becomes one point: rank collapse, in the
# words of those who study deep attention. How long it takes is another matter. A group of points that
# hardly hears the others keeps its own mean for long. Each such group costs one eigenvalue near 1, and an
# eigenvalue $w$ is alive at step $t$ while $w^t$ is not small. Four clusters, two of them close together:

# %%
places = np.array([[-1.6, 0.0], [-0.6, 0.0], [0.9, 0.9], [1.2, -0.6]])
n_each = 25 if QUICK else 50
X = np.repeat(places, n_each, axis=0) + 0.18 * np.random.default_rng(1).normal(size=(4 * n_each, 2))
P = gaussian.replace(kernel=kernels.Gaussian(0.35)).operator(X)
A, (w, _) = P.toarray(), P.eigsh(12)
steps = 2 ** np.arange(2, 20)


def n_groups(rows):
    """Groups of rows that hang together over gaps of 5 % of the extent of X."""
    extent = np.linalg.norm(X - X.mean(axis=0), axis=1).max()
    labels = fcluster(linkage(rows, "single"), 0.05 * extent, "distance")
    return int((np.bincount(labels) >= 5).sum())


moved = {int(t): np.linalg.matrix_power(A, int(t)) @ X for t in steps}
groups = {t: n_groups(rows) for t, rows in moved.items()}
alive = {t: int((np.maximum(w, 0) ** t > 0.05).sum()) for t in moved}
SHOWN = (4, 16, 256, 4096, 131072)
fig = plt.figure(figsize=(11, 5), layout="constrained")
panels = fig.subplot_mosaic([list(SHOWN), ["count"] * 5], height_ratios=[1, 1.1])
for t in SHOWN:
    ax = panels[t]
    ax.scatter(*X.T, s=2, color="#c3c8d0")
    plots.embedding(moved[t], np.repeat(np.arange(4), n_each), ax=ax, names=("", ""))
    ax.set(xlim=(-2.3, 1.9), ylim=(-1.3, 1.6), xticks=[], yticks=[])
    ax.set_title(f"t = {t}: {groups[t]} group{'s' if groups[t] > 1 else ''}", fontsize=9)
ax = panels["count"]
ax.step(steps, list(alive.values()), where="mid", linewidth=5, alpha=0.5, color=ORANGE,
        label="eigenvalues with $w^t > 1/20$")  # fmt: skip
ax.plot(steps, list(groups.values()), "o", color=BLUE, label="groups of rows of $P^t X$")
ax.set(xscale="log", xlabel="steps t", ylabel="count", yticks=range(6), ylim=(0, 5))
ax.legend(fontsize=9)
fig.suptitle("Eigenvalues near 1 count the groups: four, then three, two, one")
print("largest eigenvalues:", " ".join(f"{value:.6f}" for value in w[:6]))
print(
    f"counts agree at {sum(groups[t] == alive[t] for t in moved)} of {len(moved)} steps; they differ at t =",
    end=" ",
)
print(
    *(f"{t} ({groups[t]} groups, {alive[t]} eigenvalues)" for t in moved if groups[t] != alive[t]), sep=", "
)
plt.show()

# %% [markdown]
# The first row shows it: each cluster shrinks to its mean, the near pair merges, then the others. There are
# four eigenvalues far above the fifth, so the number of groups stands in the spectrum from the beginning,
# which is what spectral clustering reads. The two counts may differ by one at the moment when a mode dies:
# 1/20 is a convention, as is the gap between groups. Ruan and Zhang (2024, after theorem 4) draw this
# conclusion from the heat equation; the rate of each merger is $1 - w$.
#
# ## Answer
#
# A narrow step is $P f = f + \tfrac{\varepsilon}{2} (\Delta f + 2 \langle\nabla \log p, \nabla f\rangle) +
# O(\varepsilon^2)$: the constants 1 and 2 came out to three digits, with an error of order 1. Normalization
# sets the drift, from 2 to 0, and the metric sets what "near" means for both. Many steps are heat flow for
# slow modes, and end in one value for all, cluster by cluster. At an edge the step is of order
# $\sqrt\varepsilon$ and no longer tells of the density. From a sample, bias and noise pull the bandwidth in
# opposite ways; the best falls only as $n^{-2/7}$ on a curve. A drift that is estimated so comes with
# standard errors, which are honest about noise and silent about bias.
#
# Sources: Nadler, Lafon, Coifman and Kevrekidis 2006 and Coifman and Lafon 2006 (drift, diffusion,
# $\alpha$); Hein, Audibert and von Luxburg 2007; Singer 2006 (sampling error); Ruan and Zhang 2024, arXiv
# 2412.18288 (the same for attention).
#
# ## Exercises
#
# ### Exercise 1
#
# Richardson's $2 G(\varepsilon/2) - G(\varepsilon)$ had an error of order 2 on the grid. Does it help with
# a random sample? Compare its least root mean squared error with that of the plain estimate, for each $n$.
# The estimates in `found` do not lie at halved $\varepsilon$, so use new ones.

# %% tags=["hide-cell"] jupyter={"source_hidden": true}
# Solution of exercise 1
halves = 0.3 / 2 ** np.arange(7)


def at_halves(n, rng):
    """(P f - f)/eps at the asked angles, one row for each halved eps, from one sample."""
    drawn = rng.vonmises(np.pi / 2, KAPPA, n)
    operators = [gaussian.replace(kernel=kernels.Gaussian(np.sqrt(e))).operator(circle(asked), circle(drawn))
                 for e in halves]  # fmt: skip
    return np.array([(P @ f(drawn) - f(asked)) / e for P, e in zip(operators, halves)])


rng = np.random.default_rng(1)
for n in counts[:-1]:
    G = np.stack([at_halves(n, rng) for _ in range(REPEATS)])
    errors = {"plain": G, "Richardson": 2 * G[:, 1:] - G[:, :-1]}
    errors = {name: np.sqrt(((values - truth) ** 2).mean(axis=(0, 2))) for name, values in errors.items()}
    told = (f"{name} {e.min():.3f} at eps {halves[e.argmin()]:.3f}" for name, e in errors.items())
    print(f"n = {n:5}: least error", ", ".join(told))
# It helps, and the more so the more points there are: with a bias of order 2 a wider kernel can be used,
# and a wider kernel is less noisy. (The larger eps of the two is the printed one.)

# %% [markdown]
# ### Exercise 2
#
# All of this was about distances, where each point is nearest to itself. Attention scores by dot products.
# Take keys with density $N(0, \sigma^2)$ on a line and weights $e^{x z/t}$. Where does a step take a query
# $x$, how wide does it spread, and is there a limit $t \to 0$ with drift and diffusion?

# %% tags=["hide-cell"] jupyter={"source_hidden": true}
# Solution of exercise 2
# exp(x z / t - z^2 / (2 sigma^2)) is a normal density in z: its mean is sigma^2 x / t, its variance sigma^2.
sigma = 0.7
line = np.linspace(-40, 40, 4001)[:, None]
x = np.array([[0.5], [1.0], [2.0]])
for t in (1.0, 0.5, 0.2, 0.1):
    dot = lw.Mechanism(metric="dot", kernel=kernels.Exponential(t))
    P = dot.operator(x, line, log_key_weights=-(line[:, 0] ** 2) / (2 * sigma**2))
    mean = P @ line[:, 0]
    variance = P @ line[:, 0] ** 2 - mean**2
    assert np.allclose(mean, sigma**2 * x[:, 0] / t, atol=1e-9) and np.allclose(variance, sigma**2, atol=1e-9)
    print(f"t = {t}: queries {x[:, 0]} go to {mean.round(2)}, variance {variance.round(3)}")
# There is none: as t falls the query is carried away, further and further, and the spread stays that of the
# keys. Information is transported, not diffused. With keys of one length dot products are distances again.
