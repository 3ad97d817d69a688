"""Conversion of Hugging Face checkpoints to GGUF, in a process of its own.

errors        what a checkpoint can be refused for
jsonfile      JSON files of unknown origin, and typed looks into them
safetensors   headers of safetensors files, checked from end to end
checkpoint    the tensors of a folder: one file or many shards
parts         which parts of which source tensors make a tensor of the GGUF file
encode        numbers to F32, F16 or BF16, a bounded piece at a time
rope          rotary positions: base, scaling, factors
words         the tokenizer of a folder, whichever files it is in
  vocabulary      tokens as GGUF has them
  sentencepiece   tokenizer.model: pieces
  tokenizerjson   tokenizer.json: byte-level BPE, SentencePiece as BPE, Unigram, WordPiece
  pretokenizer    the name of the rule that splits text before BPE
families/     one module for each family of architectures, and the table of them
assemble      a folder to the plan of a GGUF file
lora          an adapter's folder to the plan of a GGUF file
stored        tensors that are read from their source while the GGUF file is written
job           what the process is asked, and what it says
__main__      the process
"""
