#define _GNU_SOURCE
#include "CThreads.h"

#if defined(__linux__)
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

int current_core(void) { return sched_getcpu(); }

int allowed_cores(int *cores, int capacity) {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) != 0) return 0;
  int count = 0;
  for (int core = 0; core < CPU_SETSIZE; core++) {
    if (!CPU_ISSET(core, &set)) continue;
    if (count < capacity) cores[count] = core;
    count++;
  }
  return count;
}

bool bind_to_core(int core) {
  cpu_set_t set;
  if (core < 0 || core >= CPU_SETSIZE) return false;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  return sched_setaffinity(0, sizeof set, &set) == 0;
}

// Linux' niceness is a thread's, not the process's.
bool lower_priority(int steps) {
  return setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), steps) == 0;
}

#else

int current_core(void) { return -1; }
int allowed_cores(int *cores, int capacity) { return 0; }
bool bind_to_core(int core) { return false; }
bool lower_priority(int steps) { return false; }

#endif
