// What the pictures are drawn with: numbers out of answers, colors out of play.css, marks, arrows, surfaces.

export const MARKS = 6; // that can be told apart

/** The numbers of a packed array. */
export function numbers(packed) {
  const [[kind, text]] = Object.entries(packed);
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const types = { float32: Float32Array, float64: Float64Array, uint8: Uint8Array, int8: Int8Array };
  return new types[kind](bytes.buffer);
}

/** The colors in force, as canvas takes them: names of the system's become numbers. */
export function colors() {
  const style = getComputedStyle(document.documentElement);
  const probe = document.createElement("canvas").getContext("2d");
  const color = (name) => {
    probe.fillStyle = style.getPropertyValue(`--${name}`).trim();
    return probe.fillStyle;
  };
  const names = ["ink", "soft", "line", "card", ...Array.from({ length: MARKS }, (_, k) => `class-${k}`)];
  return Object.fromEntries(names.map((name) => [name, color(name)]));
}

/** [r, g, b] of "#rrggbb". */
export function parts(color) {
  return [1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16));
}

/** A canvas cleared for a square picture: its context, and its side in pixels of the page. */
export function sheet(canvas) {
  const side = canvas.clientWidth || 240;
  const scale = window.devicePixelRatio || 1;
  canvas.width = canvas.height = pixelsOf(side);
  const ctx = canvas.getContext("2d");
  ctx.setTransform(scale, 0, 0, scale, 0, 0);
  return { ctx, side };
}

// --- marks: the shape says the class, so does the color, so does full or hollow ----------------------------

const OUTLINES = [
  (ctx, r) => ctx.arc(0, 0, r, 0, 2 * Math.PI),
  (ctx, r) => ctx.rect(-0.9 * r, -0.9 * r, 1.8 * r, 1.8 * r),
  (ctx, r) => polygon(ctx, [[0, -1.2 * r], [1.15 * r, 0.85 * r], [-1.15 * r, 0.85 * r]]),
  (ctx, r) => polygon(ctx, [[0, -1.3 * r], [1.3 * r, 0], [0, 1.3 * r], [-1.3 * r, 0]]),
  (ctx, r) => lines(ctx, [[-r, -r, r, r], [-r, r, r, -r]]),
  (ctx, r) => lines(ctx, [[-1.2 * r, 0, 1.2 * r, 0], [0, -1.2 * r, 0, 1.2 * r]]),
];

function polygon(ctx, corners) {
  corners.forEach(([x, y], i) => (i ? ctx.lineTo(x, y) : ctx.moveTo(x, y)));
  ctx.closePath();
}

function lines(ctx, ends) {
  for (const [x, y, u, v] of ends) {
    ctx.moveTo(x, y);
    ctx.lineTo(u, v);
  }
}

/** The mark of a class or cluster; of -1 a small cross. */
export function mark(ctx, look, [x, y], k, r) {
  ctx.save();
  ctx.translate(x, y);
  ctx.beginPath();
  OUTLINES[k < 0 ? 4 : k % MARKS](ctx, k < 0 ? 0.5 * r : r);
  const color = k < 0 ? look.soft : look[`class-${k % MARKS}`];
  ctx.fillStyle = k % 2 === 0 && k < 4 && k >= 0 ? color : look.card;
  if (k >= 0 && k < 4) {
    ctx.lineWidth = 2.6; // a halo, so that marks stand off what is below
    ctx.strokeStyle = look.card;
    ctx.stroke();
    ctx.fill();
  }
  ctx.lineWidth = 1.4;
  ctx.strokeStyle = color;
  ctx.stroke();
  ctx.restore();
}

export function ring(ctx, look, [x, y], r) {
  ctx.beginPath();
  ctx.arc(x, y, r, 0, 2 * Math.PI);
  ctx.lineWidth = 1.3;
  ctx.strokeStyle = look.ink;
  ctx.stroke();
}

export function arrow(ctx, look, [x, y], [u, v]) {
  const [dx, dy] = [u - x, v - y];
  const length = Math.hypot(dx, dy);
  if (!(length > 0.5)) return;
  const head = Math.min(5, 0.6 * length);
  const side = (turn) => {
    const [c, s] = [Math.cos(turn), Math.sin(turn)];
    ctx.moveTo(u, v);
    ctx.lineTo(u - (head * (c * dx - s * dy)) / length, v - (head * (s * dx + c * dy)) / length);
  };
  ctx.beginPath();
  ctx.moveTo(x, y);
  ctx.lineTo(u, v);
  side(0.45);
  side(-0.45);
  ctx.lineWidth = 1.1;
  ctx.strokeStyle = look.ink;
  ctx.stroke();
}

// --- surfaces on the plane ---------------------------------------------------------------------------------

/** Pixels of a side of a sheet. */
export function pixelsOf(side) {
  return Math.round(side * (window.devicePixelRatio || 1));
}

/**
 * A grid of `cells` x `cells` numbers, rows from below, between whose places there are straight lines: its
 * number at each of n x n pixels, rows from above. Its places end at `inner` of half a side from the middle.
 */
export function spread(grid, cells, n, inner) {
  const steps = Array.from({ length: n }, (_, pixel) => {
    const t = Math.max(0, Math.min(1, ((2 * (pixel + 0.5)) / n - 1) / (2 * inner) + 0.5)) * (cells - 1);
    const from = Math.min(cells - 2, Math.floor(t));
    return [from, t - from];
  });
  const field = new Float32Array(n * n);
  for (let row = 0, at = 0; row < n; ++row) {
    const [below, up] = steps[n - 1 - row];
    for (let column = 0; column < n; ++column, ++at) {
      const [left, right] = steps[column];
      const corner = below * cells + left;
      const low = grid[corner] * (1 - right) + grid[corner + 1] * right;
      const high = grid[corner + cells] * (1 - right) + grid[corner + cells + 1] * right;
      field[at] = low * (1 - up) + high * up;
    }
  }
  return field;
}

/** A picture of n x n pixels: `shade(at, column, row)` is how much ink each has, in [0, 1]. */
export function inked(ctx, look, n, shade) {
  const image = ctx.createImageData(n, n);
  const [paper, ink] = [parts(look.card), parts(look.ink)];
  for (let row = 0, at = 0; row < n; ++row)
    for (let column = 0; column < n; ++column, ++at) {
      const t = shade(at, column, row);
      for (let c = 0; c < 3; ++c) image.data[4 * at + c] = paper[c] + t * (ink[c] - paper[c]);
      image.data[4 * at + 3] = 255;
    }
  ctx.putImageData(image, 0, 0);
}

/** Patterns that tell areas apart without color: how much ink there is at a pixel of the page. */
export const PATTERNS = [
  (x, y) => ((x + y) % 9 < 1 ? 0.4 : 0),
  (x, y) => (x % 8 < 1.6 && y % 8 < 1.6 ? 0.55 : 0.05),
  (x, y) => ((x - y + 9000) % 6 < 1 ? 0.4 : 0.08),
  (x, y) => (y % 7 < 1 ? 0.4 : 0.14),
];
