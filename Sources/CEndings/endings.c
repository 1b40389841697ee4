#define _GNU_SOURCE
#include "endings.h"

#include "CSignals.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static _Atomic(const char *) refusal;
static const char *mistake, *shortage;

void end_when_memory_is_refused(const char *format) { atomic_store(&refusal, format); }

_Noreturn void end_with(const char *text) {
  size_t count = strlen(text);
  while (count > 0) {
    ssize_t written = write(STDERR_FILENO, text, count);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) break;
    text += written;
    count -= (size_t)written;
  }
  remove_guarded_files();
  _exit(1);
}

static void end_on_signal(int number) {
  (void)number;
  // Whoever was refused memory went on as if there were some.
  const size_t little = 64 << 20;
  end_with(mmap(NULL, little, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? shortage : mistake);
}

void end_on_fatal_signals(const char *mistake_text, const char *shortage_text) {
  mistake = mistake_text;
  shortage = shortage_text;
  // A stack that has overflowed has no room for a handler.
  static char room[1 << 16];
  stack_t stack = {.ss_sp = room, .ss_size = sizeof room};
  sigaltstack(&stack, NULL);
  struct sigaction action = {.sa_handler = end_on_signal, .sa_flags = SA_ONSTACK};
  sigemptyset(&action.sa_mask);
  const int signals[] = {SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE};
  for (size_t index = 0; index < sizeof signals / sizeof *signals; index++) sigaction(signals[index], &action, NULL);
}

#ifdef __GLIBC__

// The functions that the C library lets a program replace; these are its own with a look at the result.
extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

static void *had(void *memory, size_t size) {
  if (memory || size == 0 || size >= (size_t)1 << 40) return memory;
  // Taken away, so that what the message itself might ask for ends nowhere.
  const char *format = atomic_exchange(&refusal, NULL);
  if (format) {
    char text[200];
    snprintf(text, sizeof text, format, size);
    end_with(text);
  }
  return NULL;
}

void *malloc(size_t size) {
  void *memory = __libc_malloc(size);
  return __builtin_expect(!memory, 0) ? had(memory, size) : memory;
}

void *calloc(size_t count, size_t size) {
  void *memory = __libc_calloc(count, size);
  size_t total = 0;
  if (__builtin_expect(!memory, 0) && !__builtin_mul_overflow(count, size, &total)) return had(memory, total);
  return memory;
}

void *realloc(void *old, size_t size) {
  void *memory = __libc_realloc(old, size);
  return __builtin_expect(!memory, 0) ? had(memory, size) : memory;
}

void *memalign(size_t alignment, size_t size) { return had(__libc_memalign(alignment, size), size); }

void *aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }

int posix_memalign(void **result, size_t alignment, size_t size) {
  if (alignment % sizeof(void *) != 0 || (alignment & (alignment - 1)) != 0 || alignment == 0) return EINVAL;
  void *memory = memalign(alignment, size);
  if (!memory) return ENOMEM;
  *result = memory;
  return 0;
}

#endif
