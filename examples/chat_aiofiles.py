"""Save an answer to a file while it is written, under asyncio; needs ollama and aiofiles."""

import asyncio
import os
import sys

import aiofiles
from ollama import AsyncClient

HOST = os.environ.get("ACTORLLM_HOST", "127.0.0.1:11434")


async def main(path: str) -> None:
    """Ask through the public `ollama` package, which knows nothing of actorllm."""
    messages = [{"role": "user", "content": "why is the sky blue?"}]
    stream = await AsyncClient(HOST).chat(model="seedling", messages=messages, stream=True)
    async with aiofiles.open(path, "w", encoding="utf-8") as file:
        async for part in stream:
            await file.write(part.message.content or "")
    print(f"saved to {path}")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "answer.txt"))
