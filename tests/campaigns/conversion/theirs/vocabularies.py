"""Small vocabularies of each kind, trained on the pages of this repository.

Each function gets the folder of the checkpoint, for those that leave a file of their own there.
"""

from pathlib import Path

import sentencepiece
import transformers
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from tokenizers import trainers as training

__all__ = [
    "TEXTS",
    "digits",
    "gemma",
    "gemma_json",
    "gpt2",
    "gpt4o",
    "llama3",
    "qwen2",
    "smaug",
    "spm",
    "spm_json",
    "tekken",
    "unigram",
    "wordpiece",
]

TEXTS = (
    "The lighthouse keeper counted 1234567 ships, and didn't stop at 89.",
    "Zwei  Räder; naïve café — straße\n\n\tx = y[3] + 42  # done",
    "Привет, мир! 你好，世界 🙂 ١٢٣ don't WE'LL CamelCase HTTPServer",
)
CORPUS = Path(__file__).resolve().parents[4] / "docs"
CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
LLAMA3 = (
    CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
CASED = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+{0}|"
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*{0}"
)
TAIL = r"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
TEKKEN = CASED.replace("{0}", "") + r"|\p{N}" + TAIL
GPT4O = CASED.replace("{0}", CONTRACTIONS + "?") + r"|\p{N}{1,3}" + TAIL


def corpus() -> list[str]:
    pages = [page.read_text() for page in sorted(CORPUS.rglob("*.md"))]
    return [line for page in pages for line in page.splitlines() if line.strip()] + list(TEXTS)


def byte_level(steps: list, *, words_first: bool = False, normalizer=None, bos: bool = False):
    """Byte-level BPE."""
    tokenizer = Tokenizer(models.BPE(ignore_merges=words_first))
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(steps) if len(steps) > 1 else steps[0]
    tokenizer.decoder = decoders.ByteLevel()
    trainer = training.BpeTrainer(
        vocab_size=600,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=["<|begin|>", "<|end|>", "<|turn|>"],
        show_progress=False,
    )
    tokenizer.train_from_iterator(corpus(), trainer)
    if bos:
        tokenizer.post_processor = processors.Sequence(
            [
                processors.ByteLevel(trim_offsets=False),
                processors.TemplateProcessing(
                    single="<|begin|> $A",
                    pair="<|begin|> $A <|begin|> $B",
                    special_tokens=[("<|begin|>", tokenizer.token_to_id("<|begin|>"))],
                ),
            ]
        )
    wrapped = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<|begin|>", eos_token="<|end|>"
    )
    wrapped.add_tokens(["<tool>"])
    wrapped.chat_template = "{% for m in messages %}{{ m.content }}{% endfor %}"
    return wrapped


def split(regex: str) -> list:
    return [
        pre_tokenizers.Split(Regex(regex), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ]


def llama3(_folder: Path):
    return byte_level(split(LLAMA3), words_first=True, bos=True)


def smaug(_folder: Path):
    return byte_level(split(LLAMA3))


def qwen2(_folder: Path):
    return byte_level(split(QWEN2), normalizer=normalizers.NFC())


def tekken(_folder: Path):
    return byte_level(split(TEKKEN), words_first=True, bos=True)


def gpt4o(_folder: Path):
    return byte_level(split(GPT4O))


def gpt2(_folder: Path):
    return byte_level([pre_tokenizers.ByteLevel(add_prefix_space=False)])


def digits(_folder: Path):
    byte = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return byte_level([pre_tokenizers.Digits(individual_digits=True), byte])


def pieces(folder: Path, kind: str, *, prefix: bool, **more) -> Path:
    """Train a SentencePiece model into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / "tokenizer.model"
    with target.open("wb") as file:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(corpus()),
            model_writer=file,
            model_type=kind,
            vocab_size=500,
            byte_fallback=kind == "bpe",
            character_coverage=0.99,
            add_dummy_prefix=prefix,
            normalization_rule_name="identity" if kind == "bpe" else "nmt_nfkc",
            remove_extra_whitespaces=kind != "bpe",
            split_digits=True,
            allow_whitespace_only_pieces=kind == "bpe",
            minloglevel=2,
            **more,
        )
    return target


def spm(folder: Path):
    """SentencePiece BPE with tokenizer.model."""
    pieces(folder, "bpe", prefix=True)
    return transformers.LlamaTokenizer.from_pretrained(folder, legacy=False)


def spm_json(folder: Path):
    """The same, as tokenizer.json alone."""
    tokenizer = spm(folder)
    (folder / "tokenizer.model").unlink()
    return tokenizer


def gemma(folder: Path):
    """SentencePiece BPE that puts no space before a text."""
    more = {"pad_id": 0, "eos_id": 1, "bos_id": 2, "unk_id": 3}
    special = {"pad_piece": "<pad>", "eos_piece": "<eos>", "bos_piece": "<bos>"}
    pieces(folder, "bpe", prefix=False, **more, **special)
    return transformers.GemmaTokenizer.from_pretrained(folder)


def gemma_json(folder: Path):
    tokenizer = gemma(folder)
    (folder / "tokenizer.model").unlink()
    return tokenizer


def wordpiece(_folder: Path):
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trainer = training.WordPieceTrainer(vocab_size=500, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator(corpus(), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B [SEP]",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    tokenizer.decoder = decoders.WordPiece()
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        pad_token="[PAD]",
        mask_token="[MASK]",
    )


def unigram(folder: Path):
    """XLM-RoBERTa's tokenizer: Unigram, with its own numbers for the first tokens."""
    target = pieces(folder, "unigram", prefix=True)
    target = target.rename(folder / "sentencepiece.bpe.model")
    tokenizer = transformers.XLMRobertaTokenizer.from_pretrained(folder)
    target.unlink()
    return tokenizer
