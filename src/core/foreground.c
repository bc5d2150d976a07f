/* foreground.c - see foreground.h. */
#include "core/foreground.h"

#include <string.h>

#include "base/panic.h"
#include "dunlin/limits.h"

enum { CLASSES_A_DOUBLING = 4, SMALLEST_US = 64, USUAL_RISES = 32, USUAL_FALLS = 4 };

static uint32_t class_of(uint64_t us)
{
	if (us < SMALLEST_US) return 0;
	uint32_t octave = 63 - (uint32_t)__builtin_clzll(us);
	uint32_t quarter = (uint32_t)(us >> (octave - 2)) & 3U;
	uint32_t i = (octave - 6) * CLASSES_A_DOUBLING + quarter + 1;
	return i < FOREGROUND_CLASSES ? i : FOREGROUND_CLASSES - 1;
}

/* The least time of the class above, which is more than any in this one. */
static uint64_t class_end_us(uint32_t i)
{
	uint32_t octave = 6 + i / CLASSES_A_DOUBLING, quarter = i % CLASSES_A_DOUBLING;
	return (uint64_t)(CLASSES_A_DOUBLING + quarter) << (octave - 2);
}

void foreground_note(struct foreground *f, uint64_t us)
{
	f->counts[class_of(us)]++;
	f->count++;
}

static uint64_t p99_of(const struct foreground *f)
{
	uint32_t beyond = f->count / 100, seen = 0;
	for (uint32_t i = FOREGROUND_CLASSES; i > 0; i--) {
		seen += f->counts[i - 1];
		if (seen > beyond) return class_end_us(i - 1);
	}
	unreachable();
}

static void learn(struct foreground *f, uint64_t p99_us)
{
	f->p99_us = p99_us;
	if (f->usual_us == 0)
		f->usual_us = p99_us;
	else if (p99_us < f->usual_us)
		f->usual_us -= (f->usual_us - p99_us) / USUAL_FALLS;
	else
		f->usual_us += f->usual_us / USUAL_RISES < p99_us - f->usual_us ? f->usual_us / USUAL_RISES
		                                                                : p99_us - f->usual_us;
}

static uint64_t grown(uint64_t rate)
{
	rate += BACKGROUND_BYTES_PER_S / BACKGROUND_STEPS;
	return rate < BACKGROUND_BYTES_PER_S ? rate : BACKGROUND_BYTES_PER_S;
}

uint64_t foreground_rate(struct foreground *f, struct instant now, uint64_t rate)
{
	uint64_t passed = f->began.us == 0 ? 0 : now.us - f->began.us;
	bool whole = passed >= FOREGROUND_WINDOW_US &&
	             (f->count >= FOREGROUND_REQUESTS || passed >= 10 * FOREGROUND_WINDOW_US);
	if (f->began.us != 0 && !whole) return rate;
	/* So few say nothing, and have little to be protected from. */
	bool pressed = false;
	if (f->count >= FOREGROUND_REQUESTS) {
		uint64_t p99_us = p99_of(f), usual = f->usual_us;
		pressed = usual > 0 && p99_us > 2 * usual && p99_us > FOREGROUND_P99_US;
		learn(f, p99_us);
	}
	memset(f->counts, 0, sizeof f->counts);
	f->count = 0;
	f->began = now;
	if (!pressed) return grown(rate);
	return rate / 2 > BACKGROUND_BYTES_PER_S_MIN ? rate / 2 : BACKGROUND_BYTES_PER_S_MIN;
}
