/* clock.c - preloaded into a node, this moves its wall clock by what a file says.
 *
 *   LD_PRELOAD=build/release/chaos-clock.so CHAOS_CLOCK=FILE dunlin start ...
 *
 * FILE holds one int64, microseconds, in the machine's own byte order; it is mapped, so the clock
 * jumps the moment the file is written. Only CLOCK_REALTIME moves, and only for callers inside the
 * program itself: libraries pass absolute times to the kernel, which knows nothing of this. */
#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

typedef int gettime_function(clockid_t id, struct timespec *out);

/* Set once, before main. */
static struct {
	gettime_function *real;
	const volatile int64_t *offset_us;
	uintptr_t begin, end; /* of the program's code */
} state;

/* The first object is the program. */
static int note_program(struct dl_phdr_info *info, size_t bytes, void *context)
{
	(void)bytes;
	(void)context;
	for (unsigned i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		if (p->p_type != PT_LOAD || (p->p_flags & PF_X) == 0) continue;
		state.begin = info->dlpi_addr + p->p_vaddr;
		state.end = state.begin + p->p_memsz;
	}
	return 1;
}

__attribute__((constructor)) static void begin(void)
{
	*(void **)&state.real = dlsym(RTLD_NEXT, "clock_gettime");
	dl_iterate_phdr(note_program, NULL);
	const char *path = getenv("CHAOS_CLOCK");
	int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	if (fd < 0) return;
	void *map = mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	if (map != MAP_FAILED) state.offset_us = map;
}

int clock_gettime(clockid_t id, struct timespec *out)
{
	uintptr_t caller = (uintptr_t)__builtin_return_address(0);
	if (state.real == NULL) return -1;
	int result = state.real(id, out);
	bool ours = caller >= state.begin && caller < state.end;
	if (id != CLOCK_REALTIME || state.offset_us == NULL || !ours || result != 0) return result;
	int64_t us = (int64_t)out->tv_sec * 1000000 + out->tv_nsec / 1000 + *state.offset_us;
	out->tv_sec = us / 1000000;
	out->tv_nsec = us % 1000000 * 1000;
	return 0;
}
