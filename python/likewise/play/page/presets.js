// Points to start from: seeded, so that a preset is the same each time. They run along their shape, as do the
// rows of P then.

/** Numbers in [0, 1), the same for a seed (mulberry32). */
function randomOf(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

function normalOf(random) {
  return () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

const arc = (t) => [Math.cos(Math.PI * t), Math.sin(Math.PI * t)];

/** Each a list of classes: (t in [0, 1), normal) to a point. */
const SHAPES = {
  "two moons": [
    (t, z) => [1.1 * (arc(t)[0] - 0.5) + 0.1 * z(), 1.1 * (arc(t)[1] - 0.25) + 0.1 * z()],
    (t, z) => [1.1 * (0.5 - arc(t)[0]) + 0.1 * z(), 1.1 * (0.25 - arc(t)[1]) + 0.1 * z()],
  ],
  blobs: [
    (t, z) => [-1.1 + 0.15 * z(), -0.6 + 0.15 * z()],
    (t, z) => [0.1 + 0.3 * z(), 0.9 + 0.3 * z()],
    (t, z) => [0.9 + 0.45 * z(), -0.7 + 0.45 * z()],
  ],
  ring: [
    (t, z) => arc(2 * t).map((x) => 1.4 * x + 0.08 * z()),
    (t, z) => [0.3 * z(), 0.3 * z()],
  ],
  "line with a gap": [
    (t, z) => [-1.8 + 1.55 * t, 0.05 * z()],
    (t, z) => [0.25 + 1.55 * t, 0.05 * z()],
  ],
  spiral: [0, Math.PI].map((start) => (t, z) => {
    const far = Math.sqrt(0.02 + 0.98 * t);
    const angle = 2.5 * Math.PI * far + start;
    return [1.7 * far * Math.cos(angle) + 0.04 * z(), 1.7 * far * Math.sin(angle) + 0.04 * z()];
  }),
};

export const PRESETS = Object.keys(SHAPES);

/** {points, classes, held} of a preset; one point of each class holds its label. */
export function preset(name, count, round) {
  const shapes = SHAPES[name];
  const normal = normalOf(randomOf(7));
  const made = { points: [], classes: [], held: [] };
  shapes.forEach((shape, k) => {
    const n = Math.floor((count + shapes.length - 1 - k) / shapes.length);
    for (let i = 0; i < n; ++i) {
      made.points.push(shape((i + 0.5) / n, normal).map(round));
      made.classes.push(k);
      made.held.push(i === Math.floor(n / 3) ? 1 : 0);
    }
  });
  return made;
}
