#pragma once

/// From now on a request for memory that the system refuses ends the program: `format`, in which `%zu` stands for the bytes, goes to
/// standard error, and the status is 1. Most who ask, the Swift runtime among them, could only end it with a dump of the stack.
///
/// Sizes that no machine has are left to those who ask: they come from damaged files.
void end_when_memory_is_refused(const char *format);

/// From now on signals that would end the program with a dump of the stack end it with a text on standard error and the status 1: with
/// `mistake_text`, or with `shortage_text` where the process may have no more memory.
void end_on_fatal_signals(const char *mistake_text, const char *shortage_text);

/// Writes `text` to standard error and ends the program at once with the status 1.
_Noreturn void end_with(const char *text);
