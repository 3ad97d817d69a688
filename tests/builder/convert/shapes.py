"""Names and shapes of small checkpoints, as transformers writes them, one for each family."""

WIDTH, HEADS, KV_HEADS, HEAD, INNER, LAYERS, ROWS, EXPERTS = 64, 4, 2, 16, 96, 2, 40, 2

BASE = {
    "hidden_size": WIDTH, "intermediate_size": INNER, "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS, "num_key_value_heads": KV_HEADS, "rms_norm_eps": 1e-5,
    "max_position_embeddings": 128, "head_dim": HEAD,
}  # fmt: skip
MOE = {"num_experts": EXPERTS, "num_experts_per_tok": 1, "moe_intermediate_size": 48}
GEMMA = {"query_pre_attn_scalar": HEAD, "sliding_window": 16}
SOFTCAPS = {"attn_logit_softcapping": 50.0, "final_logit_softcapping": 30.0}
LONG = {"rope_type": "longrope", "long_factor": [2.0] * 8, "short_factor": [1.0] * 8}
ENCODER = {
    "hidden_size": WIDTH, "intermediate_size": INNER, "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS, "max_position_embeddings": 66, "layer_norm_eps": 1e-12,
    "type_vocab_size": 2,
}  # fmt: skip


def layered(*parts):
    """Name what is in each layer."""
    found = {}
    for layer in range(LAYERS):
        for part in parts:
            found |= {f"model.layers.{layer}.{name}": shape for name, shape in part.items()}
    return found


def linear(name, rows, columns, *, bias=False):
    found = {f"{name}.weight": (rows, columns)}
    return found | {f"{name}.bias": (rows,)} if bias else found


def norms(*names, size=WIDTH):
    return {f"{name}.weight": (size,) for name in names}


def attention(*, bias=False, normed=False):
    found = linear("self_attn.q_proj", HEADS * HEAD, WIDTH, bias=bias)
    found |= linear("self_attn.k_proj", KV_HEADS * HEAD, WIDTH, bias=bias)
    found |= linear("self_attn.v_proj", KV_HEADS * HEAD, WIDTH, bias=bias)
    found |= linear("self_attn.o_proj", WIDTH, HEADS * HEAD)
    return found | norms("self_attn.q_norm", "self_attn.k_norm", size=HEAD) if normed else found


def feed_forward(stem="mlp", inner=INNER, names=("gate_proj", "up_proj", "down_proj")):
    gate, up, down = names
    found = linear(f"{stem}.{gate}", inner, WIDTH) | linear(f"{stem}.{up}", inner, WIDTH)
    return found | linear(f"{stem}.{down}", WIDTH, inner)


def experts(stem, inner, names):
    return {
        key: shape
        for expert in range(EXPERTS)
        for key, shape in feed_forward(f"{stem}.{expert}", inner, names).items()
    }


TWO_NORMS = norms("input_layernorm", "post_attention_layernorm")
FOUR_NORMS = TWO_NORMS | norms("pre_feedforward_layernorm", "post_feedforward_layernorm")
ENDS = {"model.embed_tokens.weight": (ROWS, WIDTH), "model.norm.weight": (WIDTH,)}
HEAD_OUT = {"lm_head.weight": (ROWS, WIDTH)}
PROJ = ("gate_proj", "up_proj", "down_proj")
BERT = {
    "embeddings.word_embeddings.weight": (ROWS, WIDTH),
    "embeddings.token_type_embeddings.weight": (2, WIDTH),
}
BERT_POSITIONS = {"embeddings.position_embeddings.weight": (66, WIDTH)}
BERT_NORM = norms("embeddings.LayerNorm") | {"embeddings.LayerNorm.bias": (WIDTH,)}


def bert_layers():
    found = {}
    for layer in range(LAYERS):
        stem = f"encoder.layer.{layer}"
        for name in ("query", "key", "value"):
            found |= linear(f"{stem}.attention.self.{name}", WIDTH, WIDTH, bias=True)
        found |= linear(f"{stem}.attention.output.dense", WIDTH, WIDTH, bias=True)
        found |= linear(f"{stem}.intermediate.dense", INNER, WIDTH, bias=True)
        found |= linear(f"{stem}.output.dense", WIDTH, INNER, bias=True)
        for name in ("attention.output", "output"):
            found |= norms(f"{stem}.{name}.LayerNorm") | {f"{stem}.{name}.LayerNorm.bias": (WIDTH,)}
    return found


def nomic_layers():
    found = {}
    for layer in range(LAYERS):
        stem = f"encoder.layers.{layer}"
        found |= linear(f"{stem}.attn.Wqkv", 3 * WIDTH, WIDTH)
        found |= linear(f"{stem}.attn.out_proj", WIDTH, WIDTH)
        found |= feed_forward(f"{stem}.mlp", names=("fc12", "fc11", "fc2"))
        for name in ("norm1", "norm2"):
            found |= norms(f"{stem}.{name}") | {f"{stem}.{name}.bias": (WIDTH,)}
    return found


FUSED = {
    "mlp.experts.gate_up_proj": (EXPERTS, 96, WIDTH),
    "mlp.experts.down_proj": (EXPERTS, WIDTH, 48),
    **linear("mlp.gate", EXPERTS, WIDTH),
}
GRANITE_EXPERTS = {
    "block_sparse_moe.input_linear.weight": (EXPERTS, 2 * INNER, WIDTH),
    "block_sparse_moe.output_linear.weight": (EXPERTS, WIDTH, INNER),
    **linear("block_sparse_moe.router.layer", EXPERTS, WIDTH),
}
PHI = {
    **linear("self_attn.qkv_proj", (HEADS + 2 * KV_HEADS) * HEAD, WIDTH),
    **linear("self_attn.o_proj", WIDTH, WIDTH),
    **linear("mlp.gate_up_proj", 2 * INNER, WIDTH),
    **linear("mlp.down_proj", WIDTH, INNER),
}

FAMILIES = {
    "LlamaForCausalLM": (BASE, ENDS | HEAD_OUT | layered(attention(), feed_forward(), TWO_NORMS)),
    "MistralForCausalLM": (
        BASE | {"sliding_window": None}, ENDS | HEAD_OUT | layered(attention(), feed_forward(), TWO_NORMS)
    ),
    "MixtralForCausalLM": (
        BASE | {"num_local_experts": EXPERTS, "num_experts_per_tok": 1},
        ENDS | HEAD_OUT | layered(
            attention(), experts("block_sparse_moe.experts", INNER, ("w1", "w3", "w2")),
            linear("block_sparse_moe.gate", EXPERTS, WIDTH), TWO_NORMS,
        ),
    ),
    "SmolLM3ForCausalLM": (BASE, ENDS | layered(attention(), feed_forward(), TWO_NORMS)),
    "Qwen2ForCausalLM": (
        BASE, ENDS | HEAD_OUT | layered(attention(bias=True), feed_forward(), TWO_NORMS)
    ),
    "Qwen2MoeForCausalLM": (
        BASE | MOE | {"shared_expert_intermediate_size": 80},
        ENDS | HEAD_OUT | layered(
            attention(bias=True), experts("mlp.experts", 48, PROJ),
            feed_forward("mlp.shared_expert", 80), linear("mlp.shared_expert_gate", 1, WIDTH),
            linear("mlp.gate", EXPERTS, WIDTH), TWO_NORMS,
        ),
    ),
    "Qwen3ForCausalLM": (BASE, ENDS | layered(attention(normed=True), feed_forward(), TWO_NORMS)),
    "Qwen3MoeForCausalLM": (
        BASE | MOE | {"norm_topk_prob": True},
        ENDS | HEAD_OUT | layered(attention(normed=True), FUSED, TWO_NORMS),
    ),
    "Gemma2ForCausalLM": (
        BASE | GEMMA | SOFTCAPS, ENDS | layered(attention(), feed_forward(), FOUR_NORMS)
    ),
    "Gemma3ForCausalLM": (
        BASE | GEMMA, ENDS | layered(attention(normed=True), feed_forward(), FOUR_NORMS)
    ),
    "Phi3ForCausalLM": (
        BASE | {"rope_scaling": LONG, "original_max_position_embeddings": 32},
        ENDS | HEAD_OUT | layered(PHI, TWO_NORMS),
    ),
    "GraniteForCausalLM": (
        BASE | {"attention_multiplier": 0.3, "logits_scaling": 3.0},
        ENDS | layered(attention(), feed_forward(), TWO_NORMS),
    ),
    "GraniteMoeForCausalLM": (
        BASE | {"num_local_experts": EXPERTS, "num_experts_per_tok": 1},
        ENDS | layered(attention(), GRANITE_EXPERTS, TWO_NORMS),
    ),
    "BertModel": (ENCODER, BERT | BERT_POSITIONS | BERT_NORM | bert_layers()),
    "XLMRobertaModel": (
        ENCODER | {"model_type": "xlm-roberta", "pad_token_id": 1},
        BERT | BERT_POSITIONS | BERT_NORM | bert_layers(),
    ),
    "NomicBertModel": (
        ENCODER | {"hidden_act": "silu"},
        BERT | norms("emb_ln") | {"emb_ln.bias": (WIDTH,)} | nomic_layers(),
    ),
}  # fmt: skip
"""Architecture to its config and its tensors."""
