"""The operation that two dialects share: ranking."""

from actorllm.http.openapi.operation import Operation, json_answer
from actorllm.http.rerank import RerankBody

__all__ = ["ranking"]


def ranking(path: str, answer: str, description: str = "") -> Operation:
    """Describe a route that ranks.

    Args:
        path: The route.
        answer: Component of what it answers.
        description: What is special about it.
    """
    return Operation(
        method="POST",
        path=path,
        summary="Rank documents by how well they fit a query",
        description=description,
        body=RerankBody,
        example={
            "model": "bge-reranker-v2-m3",
            "query": "What is the capital of Japan?",
            "documents": ["Tokyo is the capital of Japan.", "The sky is blue."],
        },
        required=("model", "query", "documents"),
        answers={200: json_answer(answer, "The best document first", generated=True)},
        errors=(501,),
    )
