// A conversation with the test: one JSON object a line, in on stdin and out on stdout.
// A flow with a person in it says where to go, and hears where he came back:
//   say({ visit: url });  const { callback } = await hear();
import { createInterface } from "node:readline";

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

export const hear = async () => JSON.parse((await lines.next()).value);

export const say = (fact) => process.stdout.write(`${JSON.stringify(fact)}\n`);

// After a flow: do what the test names, `{ act, ...facts }`, and say what came of it, until it ends.
export async function obey(acts) {
  for await (const line of lines) {
    const { act, ...facts } = JSON.parse(line);
    say({ [act]: (await refusedOr(acts[act](facts))) ?? {} });
  }
}

// What the library made of the server's refusal, or why it does not believe an answer; any other
// error ends the process.
export async function refusedOr(work) {
  try {
    return await work;
  } catch (found) {
    const { code, error, cause, message, status } = found;
    if (error) return { refused: error, status };
    if (code === "OAUTH_WWW_AUTHENTICATE_CHALLENGE") return { challenged: cause, status };
    if (code === "OAUTH_INVALID_RESPONSE") return { disbelieved: cause?.message ?? message };
    throw found;
  }
}
