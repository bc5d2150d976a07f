/* numbers.c - see numbers.h. */
#include "tests/sim/numbers.h"

#include <stdlib.h>
#include <string.h>

void numbers_fill(uint64_t *bits, uint32_t max)
{
	for (uint32_t i = 0; i < max; i++) numbers_set(bits, i, true);
}

bool numbers_are_all(const uint64_t *bits, uint32_t max)
{
	uint32_t i = 0;
	while (i < max && numbers_have(bits, i)) i++;
	return i == max;
}

/* One number; *text goes on behind it. */
static bool parse_one(const char **text, uint32_t max, uint32_t *number)
{
	char *end = NULL;
	if (**text < '0' || **text > '9') return false;
	unsigned long v = strtoul(*text, &end, 10);
	*text = end;
	*number = (uint32_t)v;
	return v < max;
}

bool numbers_parse(const char *text, uint64_t *bits, uint32_t max)
{
	memset(bits, 0, NUMBERS_WORDS(max) * sizeof *bits);
	if (strcmp(text, "none") == 0) return true;
	if (strcmp(text, "all") == 0) {
		numbers_fill(bits, max);
		return true;
	}
	for (;;) {
		uint32_t first, last;
		if (!parse_one(&text, max, &first)) return false;
		last = first;
		if (*text == '-' && (text++, !parse_one(&text, max, &last))) return false;
		if (last < first) return false;
		for (uint32_t i = first; i <= last; i++) numbers_set(bits, i, true);
		if (*text == '\0') return true;
		if (*text++ != ',') return false;
	}
}

void numbers_print(const uint64_t *bits, uint32_t max, FILE *to)
{
	const char *between = "";
	if (numbers_are_all(bits, max)) {
		fprintf(to, "all");
		return;
	}
	for (uint32_t i = 0; i < max; i++) {
		if (!numbers_have(bits, i)) continue;
		uint32_t first = i;
		while (i + 1 < max && numbers_have(bits, i + 1)) i++;
		fprintf(to, first == i ? "%s%u" : "%s%u-%u", between, first, i);
		between = ",";
	}
	if (between[0] == '\0') fprintf(to, "none");
}
