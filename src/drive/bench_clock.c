/* bench_clock.c - the time, and the CPU time of this process and of others, as the kernel counts it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/panic.h"
#include "drive/bench.h"

uint64_t bench_now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static uint64_t timeval_ns(struct timeval t)
{
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_usec * 1000;
}

uint64_t bench_cpu_own_ns(void)
{
	struct rusage use;
	if (getrusage(RUSAGE_SELF, &use) != 0) return 0;
	return timeval_ns(use.ru_utime) + timeval_ns(use.ru_stime);
}

/* Fields 14 and 15 of /proc/PID/stat, in clock ticks (proc(5)). The name, field 2, may hold spaces
 * and parentheses; the last ')' ends it. */
static uint64_t ticks_of(int pid)
{
	char path[32], text[1024];
	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	FILE *file = fopen(path, "re");
	if (file == NULL) return 0;
	size_t len = fread(text, 1, sizeof text - 1, file);
	fclose(file);
	text[len] = '\0';
	char *at = strrchr(text, ')'), *end = NULL;
	/* After the name: state, field 3, and so on. */
	for (unsigned field = 2; at != NULL && field < 14; field++) at = strchr(at + 1, ' ');
	if (at == NULL) return 0;
	uint64_t user = strtoull(at, &end, 10);
	return user + strtoull(end, NULL, 10);
}

uint64_t bench_cpu_of_ns(int pid)
{
	long hertz = sysconf(_SC_CLK_TCK);
	assert(pid > 0 && hertz > 0);
	return ticks_of(pid) * (1000000000 / (uint64_t)hertz);
}
