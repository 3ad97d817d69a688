"""What goes into the engine and what comes out: settings, work, deltas, reports."""

from typing import Literal

import attrs

__all__ = [
    "Archiving",
    "Delta",
    "EngineError",
    "EngineSettings",
    "EngineStats",
    "Finish",
    "FinishReason",
    "Loaded",
    "Logprob",
    "Sampling",
    "SlotStats",
    "Structure",
    "Thinking",
    "TokenLogprob",
    "Work",
]

FinishReason = Literal["stop", "length", "cancelled", "error"]


class EngineError(Exception):
    """The engine cannot do what was asked. The text is one line, fit for a client."""


@attrs.frozen(kw_only=True)
class Archiving:
    """Where and how much of what was computed is kept on disk."""

    folder: str
    key: str
    """Says what the states belong to: the weights and the adapters, by their digests."""
    quota: int
    """Bytes of all files in the folder, those of other models included."""


@attrs.frozen(kw_only=True)
class EngineSettings:
    """How a model is loaded. What cannot be changed without loading it anew."""

    model_path: str
    num_ctx: int = 4096
    """Window of one slot in tokens; 0 takes what the model was trained for."""
    slots: int = 4
    """Sequences that are generated at the same time."""
    num_batch: int = 512
    """Most rows in one `llama_decode`; for embeddings also the longest input."""
    threads: int = 0
    """0 takes the physical cores that this process may use, and fewer while they are busy."""
    kv_type: Literal["f16", "q8_0", "q4_0"] = "f16"
    """Type of the KV cache's cells."""
    flash_attention: Literal["auto", "on", "off"] = "auto"
    """`auto` is on where everything runs on the CPU, else llama.cpp's choice."""
    use_mmap: bool | None = None
    num_gpu: int = -1
    """Layers on the GPU; -1 for all, if there is one."""
    main_gpu: int = 0
    splits: tuple[str, ...] = ()
    """Paths of the further files of weights that are split, in order."""
    adapters: tuple[str, ...] = ()
    """Paths of LoRA adapters (GGUF), each applied with scale 1."""
    embedding: bool = False
    """Load for `embed` instead of generation."""
    deterministic: bool = False
    """Hold every work to the batches that give the same bytes (see `batching`)."""
    extra_buffers: bool = True
    """Allow llama.cpp's repacked weights; faster, but not safe with every CPU."""
    allow_amx: bool = False
    """Let llama.cpp use AMX tiles; its kernels crash on quantised weights."""
    unified: bool = False
    """One pool of cells for all slots, of which a slot takes up to its window; nothing is
    deterministic then."""
    unordered: bool = False
    """Compute as is fastest, also where slots have cells of their own; nothing is deterministic
    then."""
    cells: int = 0
    """Cells of the pool, at least a window; 0: a window for each slot."""
    measured: bool = False
    """Take fewer slots, but four at least, if a step of all of them is slow."""
    saved_bytes: int = 0
    """Host memory for prefixes that lost their cells; at most a quarter of what is free."""
    archive: Archiving | None = None
    """Where prefixes survive the process; None: nowhere."""
    rung: int = 0
    """The rung of the degrade ladder that these settings stand on (see `ladder`)."""


@attrs.frozen
class Structure:
    """What an answer has to keep to, and where thoughts before it end."""

    kind: Literal["schema", "gbnf", "lark"]
    text: str
    """A JSON Schema as JSON text, GBNF with the rule `root`, or Lark with the rule `start`."""
    opening: str = ""
    """The tag with which the answer may begin to think; empty: it does not, or did in the prompt.
    """
    closings: tuple[str, ...] = ()
    """Tags behind which the structure holds, the usual one first. Empty: it holds at once.
    Without `opening` the text before them is free from the start."""
    marks: tuple[str, ...] = ()
    """Texts that may be special tokens, for Lark: rule `mark_0` is the first of them, `to_mark_0`
    any text up to it and itself, `no_mark_0` text without it."""


@attrs.frozen(kw_only=True)
class Sampling:
    """How a token is chosen. Names, meaning and defaults are those of Ollama's options."""

    seed: int = 0
    """Any integer; the low 64 bits count. The caller replaces -1 by a random one."""
    temperature: float = 0.8
    """0 or less always takes the most likely token."""
    top_k: int = 40
    """0 or less switches it off."""
    top_p: float = 0.9
    min_p: float = 0.0
    typical_p: float = 1.0
    repeat_last_n: int = 64
    """Tokens that penalties look back at; -1 for the whole window, 0 for none."""
    repeat_penalty: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    top_n_sigma: float = -1.0
    """0 or less switches it off."""
    xtc_probability: float = 0.0
    xtc_threshold: float = 0.1
    dynatemp_range: float = 0.0
    dynatemp_exponent: float = 1.0
    dry_multiplier: float = 0.0
    """0 or less switches DRY off."""
    dry_base: float = 1.75
    dry_allowed_length: int = 2
    dry_penalty_last_n: int = -1
    """Tokens that DRY looks back at; -1 for the whole window, 0 for none."""
    dry_sequence_breakers: tuple[str, ...] = ()
    mirostat: Literal[0, 1, 2] = 0
    mirostat_tau: float = 5.0
    mirostat_eta: float = 0.1
    logit_bias: tuple[tuple[int, float], ...] = ()
    """Tokens of the vocabulary, and what is added to their logits; -inf forbids them."""
    logprobs: bool = False
    top_logprobs: int = 0
    structure: Structure | None = None
    """What the answer has to keep to."""


@attrs.frozen
class Thinking:
    """Between which tags an answer may think, and for how long."""

    opening: str = ""
    """Empty: the prompt has opened the thoughts."""
    closings: tuple[str, ...] = ()
    """The usual one first; none: there are no thoughts."""
    ending: tuple[int, ...] = ()
    """The tokens of the usual closing tag."""
    budget: int | None = None
    """Tokens after which the thoughts are ended."""


@attrs.frozen(kw_only=True)
class Work:
    """One prompt to be continued."""

    id: int
    prompt: tuple[int, ...]
    resume: tuple[int, ...] = ()
    """Tokens generated and delivered by an earlier engine: evaluated, not sampled again."""
    sampling: Sampling = Sampling()
    max_tokens: int = -1
    """Tokens to generate, those of `resume` included; 0 or less means 10 windows."""
    stops: tuple[str, ...] = ()
    num_keep: int = 4
    """Tokens at the start that survive a context shift; -1 for the whole prompt."""
    shift: bool = True
    """Forget the middle when the window is full; otherwise finish with `length`."""
    window: int = 0
    """Tokens of context, if fewer than the slot's; 0 takes the slot's."""
    deterministic: bool = False
    """Same prompt, sampling and seed give the same bytes, whatever runs beside it."""
    thinking: Thinking | None = None
    """How its thoughts are told; None: nobody asks."""


@attrs.frozen
class Logprob:
    """A token with the natural logarithm of its probability before any sampling option."""

    token: int
    piece: bytes
    logprob: float


@attrs.frozen
class TokenLogprob:
    """A generated token and the likeliest ones in its place, likeliest first."""

    chosen: Logprob
    top: tuple[Logprob, ...]


@attrs.frozen(kw_only=True)
class Finish:
    """How and why a work ended. Times are in seconds."""

    reason: FinishReason
    stop_text: str = ""
    """The stop sequence that was met, if one was."""
    prompt_tokens: int = 0
    cached_tokens: int = 0
    """Tokens of the prompt that did not need to be evaluated."""
    prompt_seconds: float = 0.0
    """From the slot's begin of the prompt until the first token."""
    generated_tokens: int = 0
    """Sampled tokens, resumed ones and the end-of-generation token included."""
    thinking_tokens: int = 0
    """Those of them that were thoughts, without their tags."""
    thinking_ended: bool = False
    """Whether the budget ended the thoughts."""
    generation_seconds: float = 0.0
    """From the first token to the end."""
    queued_seconds: float = 0.0
    """Time spent waiting for a slot."""
    discarded_tokens: int = 0
    """Tokens forgotten by context shifts."""
    window_full: bool = False
    """Whether the answer ends where its window does."""
    deterministic: bool = False
    """Whether sameness of the bytes was guaranteed."""
    error: str = ""


@attrs.frozen
class Delta:
    """What is new in one stream. Tokens whose text is held back come before their text."""

    id: int
    tokens: tuple[int, ...]
    text: str
    logprobs: tuple[TokenLogprob, ...] = ()
    """One for each of `tokens`, if asked for."""
    finish: Finish | None = None
    """Set on the last delta of a stream, and only there."""


@attrs.frozen(kw_only=True)
class Loaded:
    """Facts about the model that was loaded."""

    description: str
    architecture: str
    n_ctx: int
    """Tokens in the window of a slot."""
    n_ctx_train: int
    n_vocab: int
    n_embd: int
    n_layer: int
    n_params: int
    size: int
    """Bytes of the weights."""
    bos: int
    """-1 if there is none."""
    eos: int
    fim: tuple[int, ...] = ()
    """The tokens before the text that comes first, before the text that comes last, and before
    the middle that is to be filled in; empty or -1: there are none."""
    add_bos: bool
    add_eos: bool
    has_chat_template: bool
    pooling: Literal["none", "mean", "cls", "last", "rank"]
    can_embed: bool
    can_shift: bool
    recurrent: bool
    """Recurrent or hybrid: a cached prefix can only be used whole."""
    deterministic: bool
    """Whether deterministic works are guaranteed to be so."""
    why_not_deterministic: str
    flash_attention: Literal["auto", "on", "off"]
    threads: int
    amx: Literal["absent", "refused", "allowed"]
    settings: EngineSettings
    """As used: defaults filled in."""
    seconds: float
    warnings: tuple[str, ...]
    """What llama.cpp warned of while loading."""


@attrs.frozen
class SlotStats:
    """One slot at a moment."""

    index: int
    work: int | None
    cells: int
    """Tokens in its KV cache."""
    phase: Literal["idle", "prefill", "decode", "parked"]


@attrs.frozen(kw_only=True)
class EngineStats:
    """The engine at a moment."""

    slots: tuple[SlotStats, ...]
    queued: int
    """Works that wait for a slot."""
    cells_used: int
    cells: int
    prompt_tokens: int
    """Evaluated since the start."""
    cached_tokens: int
    """Not evaluated, thanks to the prefix cache."""
    generated_tokens: int
    passes: int
    prefill_rate: float
    """Recent tokens per second while evaluating prompts."""
    decode_rate: float
    """Recent tokens per second over all streams while generating."""
    last_pass_seconds: float
    saved_bytes: int = 0
    """Host memory that prefixes take which were put aside."""
    saved: int = 0
    """Prefixes that were put aside since the start."""
    restored: int = 0
    """Prefixes that came back."""
    lost: int = 0
    """Prefixes that were not put aside, as running streams would have waited for it."""
    threads: int = 0
    """That compute now; 0: not known."""
