"""A finished run for other programs: ONNX, diffusers, the browser, the Hugging Face Hub."""
