// A library with nothing of ONNX Runtime in it.
extern "C" int plain_library() noexcept { return 0; }
