#!/usr/bin/env bash
# Ask, chat, and make a model of your own, with curl alone.
set -eu
host=${ACTORLLM_HOST:-127.0.0.1:11434}

curl --fail-with-body -sS "$host/api/generate" \
  -d '{"model": "seedling", "prompt": "why is the sky blue?", "stream": false}'
echo

curl --fail-with-body -sSN "$host/v1/chat/completions" -H 'Content-Type: application/json' \
  -d '{"model": "seedling", "stream": true, "messages": [{"role": "user", "content": "Hello!"}]}'

curl --fail-with-body -sSN "$host/api/create" \
  -d '{"model": "brief", "from": "seedling", "system": "Be brief.", "parameters": {"temperature": 0}}'
curl --fail-with-body -sS "$host/api/chat" \
  -d '{"model": "brief", "stream": false, "messages": [{"role": "user", "content": "Hello!"}]}'
echo
curl --fail-with-body -sS -X DELETE "$host/api/delete" -d '{"model": "brief"}'
