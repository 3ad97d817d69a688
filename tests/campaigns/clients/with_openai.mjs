import OpenAI from "openai";
import { CAPITAL, CHAT, EMBEDDER, PERSON, THINKER, TOKYO, TOOL, URL_, WEATHER } from "./steps.mjs";
import { assert, join, step, user } from "./steps.mjs";

const client = new OpenAI({ baseURL: `${URL_}/v1/`, apiKey: "unused" });
const ask = { model: CHAT, messages: user(CAPITAL), temperature: 0 };

await step("models", async () => {
  const names = [];
  for await (const model of client.models.list()) names.push(model.id);
  assert.ok(names.includes(`${CHAT}:latest`));
  assert.equal((await client.models.retrieve(CHAT)).object, "model");
});
await step("chat", async () => {
  const answer = await client.chat.completions.create(ask);
  assert.equal(answer.choices[0].message.content, TOKYO);
});
await step("chat, streamed", async () => {
  const stream = await client.chat.completions.create({ ...ask, stream: true });
  assert.equal(await join(stream, (p) => p.choices[0].delta.content), TOKYO);
});
await step("tools", async () => {
  const messages = user(WEATHER);
  const { choices } = await client.chat.completions.create({ ...ask, messages, tools: [TOOL] });
  const call = choices[0].message.tool_calls[0];
  assert.deepEqual(JSON.parse(call.function.arguments), { city: "Toronto" });
  const told = { role: "tool", tool_call_id: call.id, content: "11 degrees and sunny" };
  const answer = await client.chat.completions.create({
    ...ask, messages: [...messages, choices[0].message, told], tools: [TOOL],
  });
  assert.match(answer.choices[0].message.content, /11 degrees/);
});
await step("tools, streamed", async () => {
  const stream = client.chat.completions.stream({ ...ask, messages: user(WEATHER), tools: [TOOL] });
  const message = await stream.finalMessage();
  assert.deepEqual(JSON.parse(message.tool_calls[0].function.arguments), { city: "Toronto" });
});
await step("thinking", async () => {
  const hello = { model: THINKER, messages: user("Hello!"), temperature: 0 };
  const answer = await client.chat.completions.create({ ...hello, reasoning_effort: "high" });
  assert.ok(answer.choices[0].message.reasoning);
});
await step("structured output", async () => {
  const response_format = {
    type: "json_schema", json_schema: { name: "person", schema: PERSON, strict: true },
  };
  const answer = await client.chat.completions.parse({ ...ask, response_format });
  assert.deepEqual(Object.keys(JSON.parse(answer.choices[0].message.content)), ["old"]);
});
await step("completions", async () => {
  const stream = await client.completions.create({
    model: CHAT, prompt: "The sky is", max_tokens: 5, temperature: 0, stream: true,
  });
  assert.ok(await join(stream, (p) => p.choices[0].text));
});
await step("responses", async () => {
  const answer = await client.responses.create({ model: CHAT, input: CAPITAL, temperature: 0 });
  assert.equal(answer.output_text, TOKYO);
});
await step("responses, streamed", async () => {
  const stream = client.responses.stream({ model: CHAT, input: CAPITAL, temperature: 0 });
  assert.equal((await stream.finalResponse()).output_text, TOKYO);
});
await step("embeddings", async () => {
  const answer = await client.embeddings.create({ model: EMBEDDER, input: ["a", "b"] });
  assert.equal(answer.data.length, 2);
  assert.ok(answer.data[0].embedding.length > 3);
});
await step("errors", async () => {
  await assert.rejects(
    client.chat.completions.create({ ...ask, model: "nothing" }), OpenAI.NotFoundError,
  );
});
