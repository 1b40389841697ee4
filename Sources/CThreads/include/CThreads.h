// What the team of threads needs and Swift has no words for: a value of each thread, the entry points by which oneDNN runs its kernels in
// parallel, and a few calls of the system.
#pragma once
#include <stdbool.h>

// What a thread is doing for the team at the moment.
typedef struct {
  // The part of a job that it runs, and how many there are; 0 of 0 outside of one.
  int part, parts;
  // As many parts as a oneDNN kernel may have that this thread makes or runs; 0 while it does neither.
  int kernel_parts;
  // Which of the team's threads it is, so that loops can have memory for each; 0 for any other thread.
  int seat;
} ThreadPlace;

// The calling thread's own.
ThreadPlace *current_thread_place(void);

// Tells the processor that this loop waits: another thread on the same core gets more of it.
static inline void pause_spinning(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("isb");
#endif
}

// The calling thread's flag for invalid operations, which its arithmetic raises where a NaN is made (∞ − ∞, 0·∞) or meets a maximum or an
// ordered comparison, of which it would be lost.
#if defined(__x86_64__)
// Of the vector unit alone: the whole environment takes fifty times as long.
static inline bool has_invalid_flag(void) { return __builtin_ia32_stmxcsr() & 1; }
static inline void clear_invalid_flag(void) { __builtin_ia32_ldmxcsr(__builtin_ia32_stmxcsr() & ~1u); }
static inline void raise_invalid_flag(void) { __builtin_ia32_ldmxcsr(__builtin_ia32_stmxcsr() | 1u); }
#else
#include <fenv.h>
static inline bool has_invalid_flag(void) { return fetestexcept(FE_INVALID); }
static inline void clear_invalid_flag(void) { feclearexcept(FE_INVALID); }
static inline void raise_invalid_flag(void) { feraiseexcept(FE_INVALID); }
#endif

// The core that the calling thread runs on; -1 where the system does not tell.
int current_core(void);
// Writes the numbers of the cores that the calling thread may run on, at most `capacity`, and returns how many there are; 0 where the
// system does not tell.
int allowed_cores(int *cores, int capacity);
// Binds the calling thread to a core; false where the system refuses.
bool bind_to_core(int core);

// Lets the calling thread alone give way to others by so many steps of niceness; false where the system knows no such thing.
bool lower_priority(int steps);

// What oneDNN's kernels run on instead of libgomp.
typedef struct {
  // Runs `body(data)` in parts, each of which finds its number in its thread's place.
  void (*run)(int parts, void (*body)(void *), void *data);
  // Returns once all parts of the job have called it.
  void (*meet)(int parts);
} ParallelRuntime;

// To be called once, before any kernel is made.
void use_parallel_runtime(ParallelRuntime runtime);
// Whether the libraries of this process really call the entry points here. They do not where a library with others came first.
bool is_openmp_replaced(void);
