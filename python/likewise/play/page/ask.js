// Where answers come from. The page knows this one function: another engine is another ask.js.

/** The answer to a state; an Error says why there is none. */
export async function ask(state) {
  const response = await fetch("ask", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(state),
  });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.message);
  return answer;
}
