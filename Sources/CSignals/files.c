#include "CSignals.h"
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

enum { most_files = 64, longest_path = 4096 };

// A handler may come at any moment: it looks at nothing but complete paths.
enum { is_free, is_being_written, is_guarded };

static char paths[most_files][longest_path];
static atomic_int states[most_files];

int guard_file(const char *path) {
  if (strlen(path) >= longest_path) return -1;
  for (int i = 0; i < most_files; i++) {
    int expected = is_free;
    if (!atomic_compare_exchange_strong(&states[i], &expected, is_being_written)) continue;
    strcpy(paths[i], path);
    atomic_store(&states[i], is_guarded);
    return i;
  }
  return -1;
}

void release_file(int guard) {
  if (guard >= 0 && guard < most_files) atomic_store(&states[guard], is_free);
}

void remove_guarded_files(void) {
  for (int i = 0; i < most_files; i++)
    if (atomic_load(&states[i]) == is_guarded) unlink(paths[i]);
}

static void end(int number) {
  remove_guarded_files();
  signal(number, SIG_DFL);
  raise(number);
}

void remove_guarded_files_on_signals(void) {
  static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
    struct sigaction action;
    if (sigaction(numbers[i], NULL, &action) != 0 || action.sa_handler == SIG_IGN) continue;
    memset(&action, 0, sizeof action);
    action.sa_handler = end;
    sigfillset(&action.sa_mask);
    // Raised again in the handler, the signal is to take effect there.
    action.sa_flags = SA_NODEFER;
    sigdelset(&action.sa_mask, numbers[i]);
    sigaction(numbers[i], &action, NULL);
  }
}
