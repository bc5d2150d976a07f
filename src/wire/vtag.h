/* vtag.h - a dot as text for people and URLs: 22 characters, 11 base-62 digits of the actor and 11
 * of its time, most significant first. Unique for each stored value, and readable back. */
#ifndef DUNLIN_WIRE_VTAG_H
#define DUNLIN_WIRE_VTAG_H

#include "dunlin/types.h"

#define VTAG_CHARS 22

/* Writes VTAG_CHARS characters, no NUL. */
void vtag_write(struct dot dot, char to[VTAG_CHARS]);
/* False: not the text of any dot. */
bool vtag_read(struct bytes text, struct dot *out);
/* Two numbers in the same 22 characters. */
void vtag_base62(uint64_t high, uint64_t low, char to[VTAG_CHARS]);

#endif
