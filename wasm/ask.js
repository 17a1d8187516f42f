// Where answers come from: the library itself, compiled for WebAssembly, in a worker. `likewise play` asks its
// server instead.

const engine = new Worker("engine.js", { type: "module" });
const waiting = new Map(); // number of a question -> who waits for its answer
let asked = 0;

engine.addEventListener("message", ({ data: { number, answer, problem } }) => {
  const { resolve, reject } = waiting.get(number);
  waiting.delete(number);
  if (problem) reject(new Error(problem));
  else resolve(answer);
});
engine.addEventListener("error", () => {
  for (const { reject } of waiting.values()) reject(new Error("The engine could not be loaded."));
  waiting.clear();
});

/** The answer to a state; an Error says why there is none. */
export function ask(state) {
  return new Promise((resolve, reject) => {
    asked += 1;
    waiting.set(asked, { resolve, reject });
    engine.postMessage({ number: asked, state });
  });
}
