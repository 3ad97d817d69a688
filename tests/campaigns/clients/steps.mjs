// What the scripts of npm clients share: each step prints one line of JSON.
import assert from "node:assert/strict";

export const URL_ = process.env.ACTORLLM_URL;
export const CHAT = "llama3.2", THINKER = "qwen3", EMBEDDER = "all-minilm";
export const CAPITAL = "What is the capital of Japan?";
export const TOKYO = "The capital of Japan is Tokyo.";
export const WEATHER = "What is the weather in Toronto?";
export const PARAMETERS = {
  type: "object",
  properties: { city: { type: "string" } },
  required: ["city"],
};
export const TOOL = {
  type: "function",
  function: { name: "get_weather", description: "Weather of a city", parameters: PARAMETERS },
};
export const PERSON = {
  type: "object",
  properties: { old: { type: "boolean" } },
  required: ["old"],
  additionalProperties: false,
};
export const user = (content) => [{ role: "user", content }];

export async function step(name, run) {
  let problem = "";
  try {
    await run();
  } catch (error) {
    problem = `${error.name}: ${error.message}`.slice(0, 500);
    console.error(error);
  }
  console.log(JSON.stringify({ step: name, problem }));
}

export async function join(stream, text) {
  let all = "";
  for await (const part of stream) all += text(part) ?? "";
  return all;
}

export { assert };
