// The part of an OpenMP runtime that oneDNN calls.
//
// A program's own definitions come before those of the libraries it loads: oneDNN's calls end here instead of in libgomp, which divides
// every kernel evenly among threads that wait for each other spinning. Only oneDNN's calls: what else in the process uses OpenMP, on
// threads that run no kernel of ours, is passed on to libgomp. Definitions in Swift would not do: they cannot replace a library's.
#define _GNU_SOURCE
#include "CThreads.h"
#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>

void GOMP_parallel(void (*body)(void *), void *data, unsigned parts, unsigned flags);

static _Thread_local ThreadPlace place;

ThreadPlace *current_thread_place(void) { return &place; }

static ParallelRuntime ours;

void use_parallel_runtime(ParallelRuntime runtime) { ours = runtime; }

bool is_openmp_replaced(void) { return dlsym(RTLD_DEFAULT, "GOMP_parallel") == (void *)GOMP_parallel; }

// Threads that run no kernel of ours may ask while the runtime is being set, and so must not read it.
static bool works_for_us(void) { return (place.kernel_parts > 0 || place.parts > 0) && ours.run; }

// libgomp's own definitions.

typedef void (*Region)(void (*)(void *), void *, unsigned, unsigned);

static struct {
  Region region;
  void (*barrier)(void);
  int (*number)(void), (*count)(void), (*maximum)(void), (*is_inside)(void);
} theirs;

static void find_theirs(void) {
  theirs.region = (Region)dlsym(RTLD_NEXT, "GOMP_parallel");
  theirs.barrier = (void (*)(void))dlsym(RTLD_NEXT, "GOMP_barrier");
  theirs.number = (int (*)(void))dlsym(RTLD_NEXT, "omp_get_thread_num");
  theirs.count = (int (*)(void))dlsym(RTLD_NEXT, "omp_get_num_threads");
  theirs.maximum = (int (*)(void))dlsym(RTLD_NEXT, "omp_get_max_threads");
  theirs.is_inside = (int (*)(void))dlsym(RTLD_NEXT, "omp_in_parallel");
}

static bool has_theirs(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, find_theirs);
  return theirs.region && theirs.barrier && theirs.number && theirs.count && theirs.maximum && theirs.is_inside;
}

// The entry points.

void GOMP_parallel(void (*body)(void *), void *data, unsigned parts, unsigned flags) {
  if (works_for_us()) {
    ours.run(parts ? (int)parts : place.kernel_parts, body, data);
  } else if (has_theirs()) {
    theirs.region(body, data, parts, flags);
  } else {
    body(data);
  }
}

void GOMP_barrier(void) {
  if (works_for_us()) {
    ours.meet(place.parts);
  } else if (has_theirs()) {
    theirs.barrier();
  }
}

int omp_get_thread_num(void) {
  if (works_for_us()) return place.part;
  return has_theirs() ? theirs.number() : 0;
}

int omp_get_num_threads(void) {
  if (works_for_us()) return place.parts ? place.parts : 1;
  return has_theirs() ? theirs.count() : 1;
}

int omp_get_max_threads(void) {
  if (works_for_us()) return place.kernel_parts ? place.kernel_parts : place.parts;
  return has_theirs() ? theirs.maximum() : 1;
}

int omp_in_parallel(void) {
  if (works_for_us()) return place.parts > 1;
  return has_theirs() ? theirs.is_inside() : 0;
}
