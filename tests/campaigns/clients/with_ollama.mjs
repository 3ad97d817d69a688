import { Ollama } from "ollama";
import { CAPITAL, CHAT, EMBEDDER, PERSON, THINKER, TOKYO, TOOL, URL_, WEATHER } from "./steps.mjs";
import { assert, join, step, user } from "./steps.mjs";

const client = new Ollama({ host: URL_ });
const cold = { temperature: 0 };
const ask = { model: CHAT, messages: user(CAPITAL), options: cold };

await step("list", async () => {
  const names = (await client.list()).models.map((m) => m.name);
  assert.ok(names.includes(`${CHAT}:latest`));
});
await step("show", async () => {
  assert.ok((await client.show({ model: THINKER })).capabilities.includes("thinking"));
});
await step("generate", async () => {
  const answer = await client.generate({ model: CHAT, prompt: CAPITAL, options: cold });
  assert.equal(answer.response, TOKYO);
});
await step("generate, streamed", async () => {
  const stream = await client.generate({ model: CHAT, prompt: CAPITAL, options: cold, stream: true });
  assert.equal(await join(stream, (p) => p.response), TOKYO);
});
await step("chat", async () => {
  assert.equal((await client.chat(ask)).message.content, TOKYO);
});
await step("chat, streamed", async () => {
  const stream = await client.chat({ ...ask, stream: true });
  assert.equal(await join(stream, (p) => p.message.content), TOKYO);
});
await step("abort", async () => {
  const format = { type: "array", items: { type: "integer" }, minItems: 300 };
  const stream = await client.generate({ model: CHAT, prompt: "count", format, stream: true });
  await assert.rejects(async () => {
    for await (const _ of stream) stream.abort();
  });
});
await step("tools", async () => {
  const messages = user(WEATHER);
  const { message } = await client.chat({ ...ask, messages, tools: [TOOL] });
  assert.deepEqual(message.tool_calls[0].function.arguments, { city: "Toronto" });
  const told = { role: "tool", content: "11 degrees and sunny", tool_name: "get_weather" };
  const answer = await client.chat({ ...ask, messages: [...messages, message, told], tools: [TOOL] });
  assert.match(answer.message.content, /11 degrees/);
});
await step("thinking", async () => {
  const hello = { model: THINKER, messages: user("Hello!"), options: cold };
  assert.ok((await client.chat({ ...hello, think: true })).message.thinking);
  assert.ok(!(await client.chat({ ...hello, think: false })).message.thinking);
});
await step("structured output", async () => {
  const answer = await client.chat({ ...ask, format: PERSON });
  assert.deepEqual(Object.keys(JSON.parse(answer.message.content)), ["old"]);
});
await step("embeddings", async () => {
  const answer = await client.embed({ model: EMBEDDER, input: ["a", "b"] });
  assert.equal(answer.embeddings.length, 2);
});
await step("create, copy, delete", async () => {
  await client.create({ model: "mine", from: CHAT, system: "Be brief." });
  await client.copy({ source: "mine", destination: "yours" });
  await client.delete({ model: "mine" });
  await client.delete({ model: "yours" });
});
await step("ps", async () => {
  assert.ok((await client.ps()).models.length > 0);
});
await step("errors", async () => {
  await assert.rejects(client.chat({ ...ask, model: "nothing" }), (e) => e.status_code === 404);
});
