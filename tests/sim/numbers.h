/* numbers.h - sets of small numbers, as bits and as text: "3,7,12-40". */
#ifndef DUNLIN_SIM_NUMBERS_H
#define DUNLIN_SIM_NUMBERS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Words that hold numbers below `max`. */
#define NUMBERS_WORDS(max) (((max) + 63) / 64)

static inline bool numbers_have(const uint64_t *bits, uint32_t number)
{
	return (bits[number / 64] >> number % 64 & 1) != 0;
}

static inline void numbers_set(uint64_t *bits, uint32_t number, bool in)
{
	uint64_t bit = 1ULL << number % 64;
	bits[number / 64] = in ? bits[number / 64] | bit : bits[number / 64] & ~bit;
}

void numbers_fill(uint64_t *bits, uint32_t max);
bool numbers_are_all(const uint64_t *bits, uint32_t max);
/* "all", "none", or numbers below `max` and ranges of them. False: it is none of that. */
bool numbers_parse(const char *text, uint64_t *bits, uint32_t max);
void numbers_print(const uint64_t *bits, uint32_t max, FILE *to);

#endif
