// What has to happen in a signal handler, where next to nothing is allowed: files that are not complete are removed before the process ends.
#pragma once

// Files to be removed when a signal ends the process. Returns what to hand to `release_file`; -1 where the path is too long or too many
// files are written at once, which then stay.
int guard_file(const char *path);
void release_file(int guard);

// From now on an interrupt, a termination or a hang-up removes the guarded files and then ends the process as it would have anyway. Signals
// that are ignored stay so. For programs; a library leaves signals to the program it is in.
void remove_guarded_files_on_signals(void);

// Removes them now: for a program's own handlers. May be called in one.
void remove_guarded_files(void);
