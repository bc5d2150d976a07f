/* budget.c - see budget.h. */
#include "core/budget.h"

#include "base/panic.h"

void budget_set(struct budget *b, uint64_t rate, uint64_t burst)
{
	assert(rate > 0 && burst <= (uint64_t)INT64_MAX / 2);
	b->rate = rate;
	b->burst = burst;
}

struct instant budget_ready(struct budget *b, struct instant now)
{
	assert(b->rate > 0 && now.us >= b->counted.us);
	uint64_t passed = now.us - b->counted.us;
	/* More than fills it from any debt that one page can leave: no need to count further. */
	if (passed > SECONDS(60)) passed = SECONDS(60);
	uint64_t earned = passed * b->rate / 1000000;
	b->left += (int64_t)earned;
	if (b->left >= (int64_t)b->burst || b->counted.us == 0) {
		b->left = (int64_t)b->burst;
		b->counted = now;
	} else if (passed == SECONDS(60)) {
		b->counted = now;
	} else {
		b->counted.us += earned * 1000000 / b->rate; /* what is left of a byte is kept */
	}
	if (b->left >= 0) return now;
	uint64_t owed = (uint64_t)-b->left;
	uint64_t at = b->counted.us + owed * 1000000 / b->rate + 1;
	return (struct instant){at > now.us ? at : now.us + 1};
}

void budget_pay(struct budget *b, int64_t bytes)
{
	assert(bytes <= INT64_MAX / 4 && bytes >= INT64_MIN / 4);
	b->left -= bytes;
}
