#define _GNU_SOURCE
#include "CSignals.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static FatalTexts texts;

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
  // Pages of a mapped file that is shorter by now.
  if (number == SIGBUS) end_with(texts.cut_input);
  // Whoever was refused memory went on as if there were some, or ended. Where there is a limit, much is refused before it is reached.
  const size_t much = (size_t)1 << 30;
  void *memory = mmap(NULL, much, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  end_with(memory == MAP_FAILED ? texts.shortage : texts.mistake);
}

void end_on_fatal_signals(FatalTexts given) {
  texts = given;
  // A stack that has overflowed has no room for a handler.
  static char room[1 << 16];
  stack_t stack = {.ss_sp = room, .ss_size = sizeof room};
  sigaltstack(&stack, NULL);
  struct sigaction action = {.sa_handler = end_on_signal, .sa_flags = SA_ONSTACK};
  sigemptyset(&action.sa_mask);
  const int signals[] = {SIGABRT, SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE};
  for (size_t index = 0; index < sizeof signals / sizeof *signals; index++) sigaction(signals[index], &action, NULL);
}
