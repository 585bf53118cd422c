/* One call of cudaEventRecord that fails, for scripts/jetson_acceptance.sh: shows on a real device that a flight goes on
 * after an error. Preloaded (LD_PRELOAD) into a program that was linked to the CUDA runtime.
 *
 * SKUA_FAIL_WHILE names a file: calls count from when it is there. The SKUA_FAIL_NTH-th one answers SKUA_FAIL_CODE and does
 * nothing; all others reach the runtime. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <limits.h>
#include <link.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef int (*Record)(void* event, void* stream);

static long number_of(const char* variable) {
  const char* text = getenv(variable);
  return text == NULL ? -1 : strtol(text, NULL, 10);
}

/* The CUDA runtime came with a module that was opened for itself alone, where RTLD_NEXT does not look. */
static int find_name(struct dl_phdr_info* library, size_t size, void* found) {
  (void)size;
  if (strstr(library->dlpi_name, "cudart") == NULL) return 0;
  snprintf(found, PATH_MAX, "%s", library->dlpi_name);
  return 1;
}

/* Looked up once, and opened after the iteration: that holds a lock of the loader which another thread's dlopen takes
 * after the one that dlopen needs here. Threads that come at once find the same function. */
static Record real_function(void) {
  static _Atomic(Record) known = NULL;
  Record real = atomic_load(&known);
  if (real != NULL) return real;
  char name[PATH_MAX] = "";
  if (dl_iterate_phdr(find_name, name) == 0) return NULL;
  void* handle = dlopen(name, RTLD_LAZY | RTLD_NOLOAD);
  if (handle != NULL) real = (Record)dlsym(handle, "cudaEventRecord");
  atomic_store(&known, real);
  return real;
}

int cudaEventRecord(void* event, void* stream) {
  static _Atomic long calls = 0;
  const char* file = getenv("SKUA_FAIL_WHILE");
  if (file != NULL && access(file, F_OK) == 0 && atomic_fetch_add(&calls, 1) + 1 == number_of("SKUA_FAIL_NTH"))
    return (int)number_of("SKUA_FAIL_CODE");
  const Record real = real_function();
  return real == NULL ? 999 : real(event, stream);
}
