/* letter.c - see letter.h. */
#include "tests/sim/letter.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/panic.h"

static uint8_t *copy_of(const uint8_t *bytes, size_t len)
{
	uint8_t *copy = len == 0 ? NULL : malloc(len);
	assert(len == 0 || copy != NULL);
	if (len > 0) memcpy(copy, bytes, len);
	return copy;
}

void held_take(struct held *held, struct bytes context, uint32_t shown)
{
	free(held->bytes);
	*held = (struct held){.bytes = copy_of(context.data, context.len),
	                      .len = context.len,
	                      .shown = shown,
	                      .has = true};
}

void held_free(struct held *held)
{
	free(held->bytes);
	*held = (struct held){0};
}

static void add_context(struct letter *l, const struct held *held)
{
	bool write = l->request.op != REQUEST_GET;
	l->request.options.has_context = write;
	l->context = copy_of(held->bytes, held->len);
	*(write ? &l->request.context : &l->request.at_least) = bytes_of(l->context, held->len);
}

/* A write that is done only if the object is as its client was shown it; or absent. */
static void add_condition(struct letter *l, const struct held *held, uint8_t condition)
{
	struct conditions *c = &l->request.conditions;
	c->what = condition;
	if (condition == IF_NONE_MATCH_ANY) return;
	assert(held != NULL);
	memcpy(l->etag, held->etag, sizeof l->etag);
	add_context(l, held);
	if (condition == IF_MATCH_TAG) c->match = bytes_of(l->etag, sizeof l->etag);
	if (condition == IF_CONTEXT) c->context = l->request.context;
	l->request.context = BYTES_EMPTY;
	l->request.options.has_context = false;
}

struct letter *letter_new(struct client_ref client, const struct request *request,
                          const struct held *held, uint8_t condition)
{
	struct letter *l = calloc(1, sizeof *l);
	assert(l != NULL);
	l->client = client;
	l->request = *request;
	if (condition != 0)
		add_condition(l, held, condition);
	else if (held != NULL)
		add_context(l, held);
	return l;
}

void letter_value(struct letter *l, const struct history *h, uint32_t write, bool set)
{
	l->request.value = value_make(h, write, set);
	l->value = (uint8_t *)(uintptr_t)l->request.value.data;
	value_meta(write, l->meta);
	l->request.meta = bytes_of(l->meta, sizeof l->meta);
}

void letter_free(void *letter)
{
	struct letter *l = letter;
	free(l->context);
	free(l->value);
	free(l);
}
