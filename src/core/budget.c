/* budget.c - see budget.h. */
#include "core/budget.h"

#include "base/panic.h"

struct instant budget_ready(struct budget *b, struct instant now)
{
	assert(now.us >= b->counted.us);
	uint64_t passed = now.us - b->counted.us;
	/* More than fills it from any debt that one page can leave: no need to count further. */
	if (passed > SECONDS(60)) passed = SECONDS(60);
	uint64_t earned = passed * (BACKGROUND_BYTES_PER_S / 1000) / 1000;
	if (earned > 0 || b->counted.us == 0) {
		b->left += (int64_t)earned;
		if (b->left > (int64_t)BACKGROUND_BURST_BYTES || b->counted.us == 0)
			b->left = (int64_t)BACKGROUND_BURST_BYTES;
		b->counted = now;
	}
	if (b->left >= 0) return now;
	uint64_t owed = (uint64_t)-b->left;
	return (struct instant){now.us + owed * 1000000 / BACKGROUND_BYTES_PER_S + 1};
}

void budget_pay(struct budget *b, uint64_t bytes)
{
	assert(bytes <= (uint64_t)INT64_MAX / 2);
	b->left -= (int64_t)bytes;
}
