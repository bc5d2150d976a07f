/* asks.c - see asks.h. */
#include "tests/sim/asks.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/panic.h"

void asks_init(struct asks *a)
{
	*a = (struct asks){.calm_from_us = UINT64_MAX};
}

void asks_free(struct asks *a)
{
	free(a->list);
	a->list = NULL;
}

uint32_t asks_add(struct asks *a, const struct ask *ask)
{
	if (a->count == a->room) {
		a->room = a->room == 0 ? 1024 : 2 * a->room;
		a->list = realloc(a->list, a->room * sizeof *a->list);
		assert(a->list != NULL);
	}
	a->list[a->count] = *ask;
	return a->count++;
}

void asks_answered(struct asks *a, uint32_t id, enum err err, uint64_t now_us)
{
	struct ask *k = &a->list[id];
	assert(id < a->count);
	/* One that its client has given up may be answered still, once. */
	bool again = k->state == ASK_ANSWERED || k->state == ASK_TWICE;
	k->state = again ? ASK_TWICE : ASK_ANSWERED;
	k->err = err;
	k->ended_us = now_us;
}

void asks_outcome(struct asks *a, uint32_t id, enum outcome outcome, bool minted)
{
	assert(id < a->count);
	a->list[id].outcome = outcome;
	a->list[id].minted = minted;
}

void asks_given_up(struct asks *a, uint32_t id, bool owed, uint64_t now_us)
{
	struct ask *k = &a->list[id];
	assert(id < a->count && k->state == ASK_OPEN);
	k->state = owed ? ASK_OVERDUE : ASK_LOST;
	k->ended_us = now_us;
}

/* ---- checks --------------------------------------------------------------------------------- */

static bool fail(const struct ask *k, struct check_failure *out, const char *promise,
                 const char *format, ...) __attribute__((format(printf, 4, 5)));

static bool fail(const struct ask *k, struct check_failure *out, const char *promise,
                 const char *format, ...)
{
	*out = (struct check_failure){.promise = promise, .key = k->key, .write = k->write};
	int len = snprintf(out->text, sizeof out->text, "%s asked of %s at %.6f s", k->what, k->of,
	                   (double)k->began_us / 1e6);
	va_list args;
	va_start(args, format);
	vsnprintf(out->text + len, sizeof out->text - (size_t)len, format, args);
	va_end(args);
	return false;
}

/* An answer that is none of the node's fault: the client's own siblings, condition, or haste. */
static bool may_be_answered(const struct ask *k)
{
	switch (k->err) {
	case ERR_OK:
	case ERR_SIBLINGS:
	case ERR_BUSY: return true;
	case ERR_NOT_FOUND: return !k->puts;
	case ERR_PRECONDITION:
	case ERR_MODIFIED: return k->conditional;
	default: return false;
	}
}

bool ask_is_served(const struct asks *a, uint32_t id, struct check_failure *out)
{
	const struct ask *k = &a->list[id];
	if (k->began_us < a->calm_from_us || k->excused || k->state == ASK_OPEN) return true;
	if (k->state == ASK_LOST) return fail(k, out, "P6", ", when nothing was wrong, was lost");
	if (k->state == ASK_OVERDUE || may_be_answered(k)) return true;
	return fail(k, out, "P6", ", when nothing was wrong, was answered %s", err_name(k->err));
}

bool ask_is_answered(const struct asks *a, uint32_t id, struct check_failure *out)
{
	const struct ask *k = &a->list[id];
	bool done = k->outcome == OUTCOME_DONE;
	if (k->state == ASK_TWICE) return fail(k, out, "P7", " was answered twice");
	if (k->state == ASK_OVERDUE) return fail(k, out, "P7", " was never answered");
	if (k->state != ASK_ANSWERED || !k->writes || !done) return true;
	if (k->err == ERR_OK && k->puts && !k->minted)
		return fail(k, out, "P7", " is acknowledged, and yet nothing was minted");
	if (k->err != ERR_OK && (k->puts || k->err != ERR_NOT_FOUND))
		return fail(k, out, "P7", " was answered %s, yet done", err_name(k->err));
	return true;
}

bool check_asks(const struct asks *a, struct check_failure *out)
{
	for (uint32_t i = 0; i < a->count; i++) {
		if (!ask_is_answered(a, i, out) || !ask_is_served(a, i, out)) return false;
		if (a->list[i].state == ASK_OPEN)
			return fail(&a->list[i], out, "P7", " is waited for when all is over");
	}
	return true;
}
