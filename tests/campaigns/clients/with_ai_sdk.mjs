import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { embedMany, generateText, jsonSchema, Output, stepCountIs, streamText, tool } from "ai";
import { CAPITAL, CHAT, EMBEDDER, PARAMETERS, PERSON, THINKER, TOKYO, URL_, WEATHER } from "./steps.mjs";
import { assert, join, step } from "./steps.mjs";

const provider = createOpenAICompatible({
  name: "actorllm", baseURL: `${URL_}/v1`, supportsStructuredOutputs: true,
});
const model = provider(CHAT);
const asked = [];
const tools = {
  get_weather: tool({
    description: "Weather of a city",
    inputSchema: jsonSchema(PARAMETERS),
    execute: async ({ city }) => {
      asked.push(city);
      return "11 degrees and sunny";
    },
  }),
};

await step("generateText", async () => {
  const answer = await generateText({ model, prompt: CAPITAL, temperature: 0 });
  assert.equal(answer.text, TOKYO);
  assert.ok(answer.usage.outputTokens > 3);
});
await step("streamText", async () => {
  const { textStream } = streamText({ model, prompt: CAPITAL, temperature: 0 });
  assert.equal(await join(textStream, (part) => part), TOKYO);
});
await step("tools", async () => {
  const answer = await generateText({
    model, prompt: WEATHER, tools, temperature: 0, stopWhen: stepCountIs(3),
  });
  assert.deepEqual(asked, ["Toronto"]);
  assert.match(answer.text, /11 degrees/);
});
await step("tools, streamed", async () => {
  const answer = streamText({
    model, prompt: WEATHER, tools, temperature: 0, stopWhen: stepCountIs(3),
  });
  assert.match(await join(answer.textStream, (part) => part), /11 degrees/);
});
await step("thinking", async () => {
  const answer = await generateText({ model: provider(THINKER), prompt: "Hello!", temperature: 0 });
  assert.ok(answer.reasoningText);
});
await step("structured output", async () => {
  const output = Output.object({ schema: jsonSchema(PERSON) });
  const answer = await generateText({ model, prompt: CAPITAL, temperature: 0, output });
  assert.deepEqual(Object.keys(answer.output), ["old"]);
});
await step("embeddings", async () => {
  const embedder = provider.textEmbeddingModel?.(EMBEDDER) ?? provider.embeddingModel(EMBEDDER);
  const { embeddings } = await embedMany({ model: embedder, values: ["a", "b"] });
  assert.equal(embeddings.length, 2);
});
await step("errors", async () => {
  await assert.rejects(
    generateText({ model: provider("nothing"), prompt: "x", maxRetries: 0 }), /not found/,
  );
});
