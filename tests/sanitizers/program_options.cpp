// In every program of a sanitizer lane: what cannot be allocated is a null pointer, as it is to malloc, and
// not the program's end; and limits stay as they are, because a confined build that starts another one may
// set none. Here and not in ASAN_OPTIONS, because builds run with an environment of their own.
// https://github.com/google/sanitizers/wiki/SanitizerCommonFlags
extern "C" {
const char* __asan_default_options() { return "allocator_may_return_null=1:disable_coredump=0"; }
const char* __tsan_default_options() { return "allocator_may_return_null=1:disable_coredump=0"; }
}
