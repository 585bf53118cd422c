// expect-error: too many arguments to function 'void only_text
// The harness itself: a call with one argument too many is refused, the same file without it compiles.

void only_text(const char* text);

void use() {
  only_text("text");
#ifndef SKUA_COMPILE_FAIL_CONTROL
  only_text("text", 2);
#endif
}
