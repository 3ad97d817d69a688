import Anthropic from "@anthropic-ai/sdk";
import { CAPITAL, CHAT, PARAMETERS, THINKER, TOKYO, URL_, WEATHER } from "./steps.mjs";
import { assert, step, user } from "./steps.mjs";

const client = new Anthropic({ baseURL: URL_, apiKey: "unused" });
const ask = { model: CHAT, max_tokens: 50, messages: user(CAPITAL), temperature: 0 };
const tools = [
  { name: "get_weather", description: "Weather of a city", input_schema: PARAMETERS },
];

await step("messages", async () => {
  const answer = await client.messages.create(ask);
  assert.equal(answer.content[0].text, TOKYO);
  assert.equal(answer.stop_reason, "end_turn");
});
await step("messages, streamed", async () => {
  const stream = client.messages.stream(ask);
  assert.equal(await stream.finalText(), TOKYO);
});
await step("tools", async () => {
  const messages = user(WEATHER);
  const wanted = { ...ask, max_tokens: 100, tools };
  const answer = await client.messages.create({ ...wanted, messages });
  const call = answer.content.find((block) => block.type === "tool_use");
  assert.deepEqual(call.input, { city: "Toronto" });
  const told = { type: "tool_result", tool_use_id: call.id, content: "11 degrees and sunny" };
  const last = await client.messages.create({
    ...wanted,
    messages: [
      ...messages,
      { role: "assistant", content: answer.content },
      { role: "user", content: [told] },
    ],
  });
  assert.match(last.content[0].text, /11 degrees/);
});
await step("tools, streamed", async () => {
  const stream = client.messages.stream({
    ...ask, max_tokens: 100, tools, messages: user(WEATHER),
  });
  assert.deepEqual((await stream.finalMessage()).content.at(-1).input, { city: "Toronto" });
});
await step("thinking", async () => {
  const answer = await client.messages.create({
    ...ask,
    model: THINKER,
    max_tokens: 2000,
    messages: user("Hello!"),
    thinking: { type: "enabled", budget_tokens: 1024 },
  });
  assert.deepEqual(answer.content.map((block) => block.type), ["thinking", "text"]);
});
await step("count_tokens", async () => {
  const counted = await client.messages.countTokens({ model: CHAT, messages: user(CAPITAL) });
  assert.ok(counted.input_tokens > 3);
});
await step("models", async () => {
  const names = [];
  for await (const model of client.models.list()) names.push(model.id);
  assert.ok(names.includes(`${CHAT}:latest`));
});
await step("errors", async () => {
  await assert.rejects(client.messages.create({ ...ask, model: "nothing" }), Anthropic.NotFoundError);
});
