/* traces.c - see traces.h. A ring of places, looked through from one end to the other: traced requests
 * are few, and so are the places.
 *
 * Always true: a trace begins with ADMITTED; steps of one that has lost its place are dropped. */
#include "drive/traces.h"

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/panic.h"

static struct trace_kept *find(const struct traces *t, struct trace_id id)
{
	for (uint32_t i = 0; t->list != NULL && i < TRACES_KEPT_MAX; i++)
		if (t->list[i].id.v == id.v) return &t->list[i];
	return NULL;
}

/* The place of the oldest. NULL: no memory. */
static struct trace_kept *begin(struct traces *t, const struct trace_step *s, struct wall wall)
{
	if (t->list == NULL) t->list = calloc(TRACES_KEPT_MAX, sizeof *t->list);
	if (t->list == NULL) return NULL;
	struct trace_kept *k = &t->list[t->next];
	t->next = (t->next + 1) % TRACES_KEPT_MAX;
	free(k->key);
	/* Not the steps: `count` says which are there. */
	memset(k, 0, offsetof(struct trace_kept, steps));
	k->id = s->trace;
	k->began = s->at;
	k->began_wall = wall;
	k->key = s->key.len > 0 ? malloc(s->key.len) : NULL;
	if (k->key == NULL) return k;
	k->key_len = s->key.len;
	memcpy(k->key, s->key.data, s->key.len);
	return k;
}

void traces_note(struct traces *t, const struct trace_step *step, struct wall wall)
{
	assert(step->trace.v != 0);
	struct trace_kept *k = find(t, step->trace);
	if (k == NULL && step->kind == TRACE_ADMITTED) k = begin(t, step, wall);
	if (k == NULL) return;
	if (step->kind == TRACE_ENDED) k->ended = true;
	if (step->http.len > 0 && step->http.len < sizeof k->http) {
		memcpy(k->http, step->http.data, step->http.len);
		k->http[step->http.len] = '\0';
	}
	if (k->count == TRACE_STEPS_MAX) {
		k->dropped++;
		return;
	}
	struct trace_step *kept = &k->steps[k->count++];
	*kept = *step;
	kept->key = kept->http = BYTES_EMPTY;
}

static bool is_old(const struct trace_kept *k, struct instant now)
{
	return now.us > k->began.us + TRACE_KEPT_US;
}

const struct trace_kept *traces_find(const struct traces *t, struct trace_id id, struct instant now)
{
	const struct trace_kept *k = id.v == 0 ? NULL : find(t, id);
	return k == NULL || is_old(k, now) ? NULL : k;
}

const struct trace_kept *traces_at(const struct traces *t, uint32_t i, struct instant now)
{
	if (t->list == NULL || i >= TRACES_KEPT_MAX) return NULL;
	const struct trace_kept *k = &t->list[(t->next + TRACES_KEPT_MAX - 1 - i) % TRACES_KEPT_MAX];
	return k->id.v == 0 || is_old(k, now) ? NULL : k;
}

void traces_free(struct traces *t)
{
	for (uint32_t i = 0; t->list != NULL && i < TRACES_KEPT_MAX; i++) free(t->list[i].key);
	free(t->list);
	*t = (struct traces){0};
}

bool trace_id_read(struct bytes text, struct trace_id *out)
{
	*out = (struct trace_id){0};
	if (text.len != TRACE_ID_CHARS) return false;
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.data[i];
		bool digit = c >= '0' && c <= '9', letter = (c | 32) >= 'a' && (c | 32) <= 'f';
		if (!digit && !letter) return false;
		out->v = out->v << 4 | (uint64_t)(digit ? c - '0' : (c | 32) - 'a' + 10);
	}
	return out->v != 0;
}
