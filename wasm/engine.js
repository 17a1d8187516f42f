// The engine beside the page: a worker that answers a state as the server of `likewise play` does.

import { callOf, plain } from "./calls.js";
import load from "./likewise.js";
import { programs } from "./programs.js";
import { loadDials, SLOTS } from "./state.js";

const ready = Promise.all([load(), loadDials(), fetch("programs.json").then((found) => found.json())]);

addEventListener("message", async ({ data: { number, state } }) => {
  try {
    postMessage({ number, answer: answer(state, ...(await ready)) });
  } catch (error) {
    const why = error.message ?? error;
    postMessage({ number, problem: `The engine could not be started or has stopped: ${why}` });
  }
});

function answer(state, module, dials, lines) {
  const start = performance.now();
  const made = Object.fromEntries(SLOTS.map((slot) => [slot, callOf(dials, slot, state[slot])]));
  const called = Object.fromEntries(SLOTS.map((slot) => [slot, plain(made[slot])]));
  const { printed, said, ...found } = module.answer(called, state, dials);
  return {
    ...found,
    equation: equation(printed),
    ...programs(lines, dials, state, found.views, made, said),
    state,
    milliseconds: performance.now() - start,
  };
}

/** [slot, formula, value] of each slot, of the lines that the mechanism prints. */
function equation(printed) {
  const lines = printed.split("\n").slice(1, 1 + SLOTS.length);
  return lines.map((line, i) => [SLOTS[i], ...line.slice(22).trim().split(/\s{2,}(.*)/s, 2)]);
}
