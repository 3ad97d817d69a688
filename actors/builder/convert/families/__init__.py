"""Families of architectures.

family    what a family says of itself
table     which family has which architecture
llama     Llama, Mistral, Mixtral, SmolLM3
qwen      Qwen 2, 2.5, 3 and their mixtures of experts
gemma     Gemma 2 and 3
phi       Phi-3 and 4
granite   Granite and its mixture of experts
bert      BERT, MiniLM, BGE, Nomic, XLM-RoBERTa
vision    CLIP and SigLIP towers with the projectors of LLaVA and Gemma 3
"""
