// What has to happen in signal handlers, where next to nothing is allowed: incomplete files are removed, and a program that cannot go on
// ends with a sentence.
#pragma once

// Files to be removed when a signal ends the process. Returns what to hand to `release_file`; -1 where the path is too long or too many
// files are written at once, which then stay.
int guard_file(const char *path);
void release_file(int guard);

// Removes them now. May be called in a handler.
void remove_guarded_files(void);

// The rest is for programs; a library leaves signals to the program it is in.

// From now on an interrupt, a termination or a hang-up removes the guarded files and then ends the process as it would have anyway. Signals
// that are ignored stay so.
void remove_guarded_files_on_signals(void);

// What to say where the process cannot go on; texts that stay.
typedef struct {
  // For the program's own mistakes.
  const char *mistake;
  // Where the process may have no more memory.
  const char *shortage;
  // Where an input file became shorter while it was read.
  const char *cut_input;
} FatalTexts;

// From now on signals that would end the program with a dump of the stack end it with a text on standard error and the status 1.
void end_on_fatal_signals(FatalTexts texts);

// Writes `text` to standard error, removes the guarded files and ends the program at once with the status 1.
_Noreturn void end_with(const char *text);
