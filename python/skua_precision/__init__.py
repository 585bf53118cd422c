"""The offline precision tools: rewriting ONNX graphs, and measuring what a rewriting costs."""
