"""Ask several questions at once under Trio; needs httpx."""

import json
import os

import httpx
import trio

HOST = os.environ.get("ACTORLLM_HOST", "127.0.0.1:11434")
QUESTIONS = (
    "why is the sky blue?",
    "What is the capital of Japan?",
    "What is the capital of France?",
)


async def ask(client: httpx.AsyncClient, question: str) -> None:
    """Stream one answer; leaving the block, or cancelling it, stops the model."""
    messages = [{"role": "user", "content": question}]
    answer = ""
    async with client.stream(
        "POST", "/api/chat", json={"model": "seedling", "messages": messages}
    ) as response:
        if response.is_error:
            raise RuntimeError(json.loads(await response.aread())["error"])
        async for line in response.aiter_lines():
            frame = json.loads(line)
            if "error" in frame:
                raise RuntimeError(frame["error"])
            answer += frame["message"]["content"]
    print(f"{question}\n    {answer}")


async def main() -> None:
    """Ask all of them; the server answers them in one batch."""
    url = HOST if "://" in HOST else f"http://{HOST}"
    async with httpx.AsyncClient(base_url=url, timeout=None) as client:  # noqa: S113
        with trio.fail_after(120):
            async with trio.open_nursery() as nursery:
                for question in QUESTIONS:
                    nursery.start_soon(ask, client, question)


if __name__ == "__main__":
    trio.run(main)
