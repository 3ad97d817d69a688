// Stream an answer with fetch, in Node.js 18 or newer: node chat.mjs "why is the sky blue?"

const host = process.env.ACTORLLM_HOST ?? "127.0.0.1:11434";
const url = host.includes("://") ? host : `http://${host}`;
const content = process.argv[2] ?? "why is the sky blue?";

const response = await fetch(`${url}/api/chat`, {
  method: "POST",
  body: JSON.stringify({ model: "seedling", messages: [{ role: "user", content }] }),
});
if (!response.ok) throw new Error((await response.json()).error);

let rest = "";
for await (const text of response.body.pipeThrough(new TextDecoderStream())) {
  const lines = (rest + text).split("\n");
  rest = lines.pop();
  for (const line of lines) {
    const frame = JSON.parse(line);
    if (frame.error) throw new Error(frame.error);
    process.stdout.write(frame.message.content);
  }
}
process.stdout.write("\n");
