/* story.h - whole nodes in virtual time, and their effects as text.
 *
 *   test:  client_put(s, A, "k", "v1", NOTHING);  expect(s, "[  0] A < put k v1 ...");
 *
 * A story has up to five nodes A to E over memory stores. Unless it says otherwise a message takes
 * 1 ms, a store write 2 ms, a store read no time, and partition 0 is all there is, with the primaries
 * A, B and C. What a line says:
 *
 *   [  4] A < ack B    A > reply stored        at 4 ms: A got B's ack, and answered its client
 *   x v1|v2                                    key x with two siblings; "deleted" is a tombstone
 *   store x v1 as stand-in, hint for C         one batch: the object, its marker, an extra hint
 *
 * Heartbeats, answers as they are sent, and the meta family are not told; the reservation of the clock
 * is done in a prologue. Bytes travel packed, so that nothing is shared by accident. When a text is
 * not as expected, the real one is printed in the form in which it can be pasted, and read. */
#ifndef DUNLIN_TEST_STORY_H
#define DUNLIN_TEST_STORY_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/panic.h"
#include "base/prng.h"
#include "core/object.h"
#include "dunlin/node.h"
#include "ring/layout.h"
#include "ring/ring.h"
#include "store/store_mem.h"
#include "wire/msg.h"

#include <cmocka.h>

enum { A, B, C, D, E, STORY_NODES };
enum {
	NOTHING = -1,
	STORY_ANSWERS = 64,
	STORY_ITEMS = 4096,
	STORY_TEXT = 16384,
	STORY_STEPS = 512
};
#define STORY_POOL_BYTES MIB(4)
#define STORY_EPOCH_MS 1700000000000UL

/* ---- shapes --------------------------------------------------------------------------------- */

enum item_kind { ITEM_PACKET, ITEM_READ, ITEM_SCAN, ITEM_WRITTEN, ITEM_UP, ITEM_DOWN };

struct item {
	uint64_t at_us, order;
	enum item_kind kind;
	int node;       /* to whom it happens */
	uint32_t start; /* of that node, as it was then; 0: whichever */
	int from;
	struct ticket ticket;
	enum store_family family;
	const struct store_op *ops;
	uint32_t count;
	size_t bytes_max;
	size_t len, split; /* of `bytes`; SCAN: where `until` begins */
	uint8_t *bytes;
};

struct story_node {
	struct node *node; /* NULL: down */
	void *memory, *pool;
	struct store *store;
	struct node_id id;
	uint32_t start;
	uint64_t disk_us, last_write_us;
	uint32_t writes; /* asked for since the story began */
	/* It dies when it asks for its nth write: before that is done, or (durable) between that and the
	 * answer. 0: it lives. */
	uint32_t dies_at_write;
	bool durable_then;
	int64_t wall_ms; /* its wall clock, less the right time */
	char name[2];
};

struct answer {
	bool here;
	uint32_t times;
	struct reply reply;
	size_t context_len;
	uint8_t context[CONTEXT_BYTES_MAX];
	char text[256]; /* what is shown */
};

struct story {
	uint64_t now_us, zero_us, order;
	int nodes;
	struct story_node node[STORY_NODES];
	uint64_t net_us[STORY_NODES][STORY_NODES];
	bool cut[STORY_NODES][STORY_NODES];   /* what is sent is lost, and nobody is told */
	bool twice[STORY_NODES][STORY_NODES]; /* what is sent arrives twice */
	bool hold[STORY_NODES][STORY_NODES];  /* objects that are sent stay on the way until let_go() */
	struct item item[STORY_ITEMS];
	int items;
	struct answer answer[STORY_ANSWERS];
	int answers;
	struct request_options next; /* of the next request, then the defaults again */
	uint64_t trace_next;         /* the next request is traced under this id, if not 0 */
	struct conditions conditions_next;
	struct trace_step step[STORY_STEPS]; /* all that was told of traces, and by whom */
	int step_node[STORY_STEPS], steps;
	uint32_t siblings_max, coord_slots, replicas;
	uint32_t n_val; /* of all keys; 0: as many replicas as the layout has */
	struct bucket_type type;
	uint64_t reap_period_us;
	uint64_t hints_max, hint_bytes_max, hint_window_ms, stand_ins_max, stand_in_bytes_max;
	uint64_t ttl_s;            /* of the next put */
	bool if_none;              /* the next put is done only if nothing is there */
	uint32_t read_all_one_in;  /* 0: 1, every read asks all */
	uint32_t read_whole_bytes; /* 0: READ_WHOLE_BYTES */
	const char *join; /* letters of the nodes to form with; NULL: they are formed already */
	uint32_t expect;
	struct effects fx;
	struct scan_entry entries[SCAN_PAGE_ENTRIES_MAX];
	struct room_of_story {
		uint8_t region[MIB(4)], state[MIB(4) / POOL_PIECE_BYTES_MIN];
		struct pool pool;
		struct arena arena;
	} scratch; /* to read objects with */
	char text[STORY_TEXT];
	size_t text_len;
	uint64_t line_ms;
	int line_node;
	bool quiet; /* nothing is told */

	bool compare_here;
	struct compare_result compared; /* the last one; its examples are not kept */

	/* The last answers about properties, and of a listing. */
	bool props_here, list_done;
	struct props_result props;
	enum err list_err;
	struct ticket list_more; /* not 0: a page to be asked for, at list_node */
	int list_node;
	uint32_t list_pages;
	size_t list_len;
	char list_text[4096];
};

static inline uint64_t ms(uint64_t v)
{
	return v * 1000;
}

/* ---- telling -------------------------------------------------------------------------------- */

static inline __attribute__((format(printf, 3, 4))) void story_say(struct story *s, int node,
                                                                   const char *format, ...)
{
	if (s->quiet) return;
	uint64_t now_ms = (s->now_us - s->zero_us) / 1000;
	bool on_line = s->text_len > 0 && s->line_ms == now_ms && s->line_node == node && node >= 0;
	char *to = s->text + s->text_len;
	size_t room = STORY_TEXT - s->text_len;
	if (on_line) to--, room++; /* over the end of the line */
	int len = on_line ? snprintf(to, room, "    ")
	                  : snprintf(to, room, "[%3llu] ", (unsigned long long)now_ms);
	va_list args;
	va_start(args, format);
	len += vsnprintf(to + len, room - (size_t)len, format, args);
	va_end(args);
	assert((size_t)len + 2 < room);
	to[len] = '\n';
	s->text_len = (size_t)(to - s->text) + (size_t)len + 1;
	s->line_ms = now_ms;
	s->line_node = node;
}

static inline const char *key_text(char *to, struct bytes full_key)
{
	struct bytes type, bucket, name;
	bool ok = full_key_split(full_key, &type, &bucket, &name);
	assert(ok);
	sprintf(to, "%.*s", (int)name.len, (const char *)name.data);
	return to;
}

static inline int by_text(const void *x, const void *y)
{
	return strcmp(x, y);
}

/* Siblings in the order of their text, since actors are random. */
static inline const char *siblings_text(char *to, const struct sibling *siblings, uint32_t count)
{
	char values[16][32];
	assert(count <= 16);
	for (uint32_t i = 0; i < count; i++)
		snprintf(values[i], sizeof values[i], "%.*s",
		         siblings[i].tombstone ? 7 : (int)siblings[i].value.len,
		         siblings[i].tombstone ? "deleted" : (const char *)siblings[i].value.data);
	qsort(values, count, sizeof values[0], by_text);
	*to = '\0';
	for (uint32_t i = 0; i < count; i++)
		sprintf(to + strlen(to), "%s%s", i > 0 ? "|" : "", values[i]);
	return to;
}

static inline const char *object_text(struct story *s, char *to, struct bytes object)
{
	struct object o;
	enum err e = object_decode(&s->scratch.arena, object, &o);
	assert(e == ERR_OK);
	siblings_text(to, o.siblings, o.sibling_count);
	arena_free(&s->scratch.arena);
	return to;
}

static inline int story_find(const struct story *s, struct node_id id)
{
	for (int i = 0; i < s->nodes; i++)
		if (s->node[i].id.v == id.v) return i;
	return -1;
}

static inline void reply_text(char *to, const struct reply *r, const char *shown)
{
	static const char *const outcomes[OUTCOME_COUNT] = {"", ", none", ", unknown"};
	if (r->err == ERR_OK && r->written)
		sprintf(to, "stored%s%s", *shown != '\0' ? " " : "", shown);
	else if (r->err == ERR_OK)
		sprintf(to, "%s", shown);
	else if (r->err == ERR_NOT_FOUND)
		sprintf(to, "%s", r->deleted ? "deleted" : "nothing");
	else if (r->need > 0)
		sprintf(to, "%s %u/%u%s", err_name(r->err), r->got, r->need, outcomes[r->outcome]);
	else
		sprintf(to, "%s%s", err_name(r->err), outcomes[r->outcome]);
	if (r->fallbacks > 0) sprintf(to + strlen(to), ", fallbacks %u", r->fallbacks);
}

/* What a batch is about; empty: nothing to tell. */
static inline void write_text(struct story *s, char *to, const struct effect *f)
{
	char key[256] = "", value[512];
	*to = '\0';
	for (uint32_t i = 0; i < f->write.count; i++) {
		const struct store_op *op = &f->write.ops[i];
		if (op->family == STORE_META) continue;
		const char *between = *to != '\0' ? ", " : "";
		bool put = op->value.data != NULL;
		char *end = to + strlen(to);
		if (op->family == STORE_OBJECTS) {
			key_text(key, bytes_of(op->key.data + 8, op->key.len - 8));
			if (put)
				sprintf(end, "%sstore %s %s", between, key, object_text(s, value, op->value));
			else
				sprintf(end, "%sdrop %s", between, key);
		} else if (op->key.data[0] == 'S') {
			sprintf(end, put ? " as stand-in" : " and its marker");
		} else {
			int target = story_find(s, (struct node_id){get_u64be(op->key.data + 1)});
			sprintf(end, "%s%shint for %c", between, put ? "" : "drop ", (char)('A' + target));
		}
	}
}

static inline void send_text(struct story *s, char *to, const struct msg *m)
{
	char key[256], value[512];
	*to = '\0';
	if (m->type == MSG_PUT)
		sprintf(to, "%s %s %s", m->id.v == 0 ? "repair" : "put", key_text(key, m->put.key),
		        object_text(s, value, m->put.object));
	if (m->type == MSG_GET)
		sprintf(to, "get %s%s", key_text(key, m->get.key),
		        m->get.whole && s->read_whole_bytes > 0 ? " whole" : "");
	if (m->type == MSG_FORWARD) sprintf(to, "forward %s", key_text(key, m->forward.request.key));
	if (m->type == MSG_SCAN) sprintf(to, "scan");
	if (m->type == MSG_PROPOSE) sprintf(to, "propose");
}

/* Equal messages to several nodes are one token. */
static inline void tell_sends(struct story *s, int node)
{
	bool told[EFFECTS_PER_STEP_MAX] = {false};
	for (uint32_t i = 0; i < s->fx.count; i++) {
		char text[1024], other[1024], names[32] = "";
		bool to[STORY_NODES] = {false};
		if (told[i] || s->fx.list[i].type != FX_SEND) continue;
		send_text(s, text, &s->fx.list[i].send.msg);
		if (*text == '\0') continue;
		for (uint32_t j = i; j < s->fx.count; j++) {
			if (s->fx.list[j].type != FX_SEND) continue;
			send_text(s, other, &s->fx.list[j].send.msg);
			if (strcmp(text, other) != 0) continue;
			told[j] = to[story_find(s, s->fx.list[j].send.to)] = true;
		}
		for (int n = 0; n < s->nodes; n++)
			if (to[n])
				sprintf(names + strlen(names), "%s%c", *names != '\0' ? ", " : "", (char)('A' + n));
		story_say(s, node, "%s > %s to %s", s->node[node].name, text, names);
	}
}

static inline void tell_effects(struct story *s, int node)
{
	char text[1024];
	for (uint32_t i = 0; i < s->fx.count; i++) {
		if (s->fx.list[i].type != FX_STORE_WRITE) continue;
		write_text(s, text, &s->fx.list[i]);
		if (*text != '\0') story_say(s, node, "%s > %s", s->node[node].name, text);
	}
	tell_sends(s, node);
	for (uint32_t i = 0; i < s->fx.count; i++) {
		if (s->fx.list[i].type != FX_REPLY) continue;
		const struct reply *r = &s->fx.list[i].reply.reply;
		char shown[512] = "";
		if (r->sibling_count > 0) siblings_text(shown, r->siblings, r->sibling_count);
		reply_text(text, r, shown);
		story_say(s, node, "%s > reply %s", s->node[node].name, text);
	}
}

static inline void tell_message(struct story *s, int node, int from, const struct msg *m)
{
	char text[512];
	const char *name = s->node[node].name, *other = s->node[from].name;
	switch (m->type) {
	case MSG_PUT_ACK:
		if (m->put_ack.err == ERR_OK)
			story_say(s, node, "%s < ack %s", name, other);
		else
			story_say(s, node, "%s < %s %s", name, err_name(m->put_ack.err), other);
		break;
	case MSG_GET_REPLY:
		if (m->get_reply.err == ERR_OK && m->get_reply.object.len == 0)
			story_say(s, node, "%s < digest %s", name, other);
		else if (m->get_reply.err == ERR_OK)
			story_say(s, node, "%s < %s %s", name, object_text(s, text, m->get_reply.object),
			          other);
		else
			story_say(s, node, "%s < %s%s %s", name, err_name(m->get_reply.err),
			          m->get_reply.vouched ? "" : " unvouched", other);
		break;
	case MSG_FORWARD: story_say(s, node, "%s < forward %s", name, other); break;
	case MSG_FORWARD_REPLY:
		story_say(s, node, "%s < answer %s %s", name, other, err_name(m->forward_reply.err));
		break;
	default: break;
	}
}

#include "tests/scenario/story_world.h"
#include "tests/scenario/story_disk.h"

/* ---- what a test says ----------------------------------------------------------------------- */

/* Compare what was told since the last time. An empty text: nothing was. */
static inline void expect(struct story *s, const char *text)
{
	s->text[s->text_len] = '\0';
	bool same = bytes_equal(bytes_of_string(text), bytes_of(s->text, s->text_len));
	if (!same) {
		printf("really:\n");
		for (char *line = strtok(s->text, "\n"); line != NULL; line = strtok(NULL, "\n"))
			printf("\t\"%s\\n\"\n", line);
		fail_msg("the story went otherwise");
	}
	s->text_len = 0;
	s->line_node = -1;
}

/* Forget what was told. */
static inline void untold(struct story *s)
{
	s->text_len = 0;
	s->line_node = -1;
}

/* Time 0 is now. */
static inline void chapter(struct story *s)
{
	untold(s);
	s->zero_us = s->now_us;
}

static inline const char *answer_text(struct story *s, int answer)
{
	static char text[512];
	if (!s->answer[answer].here) return "no answer";
	reply_text(text, &s->answer[answer].reply, s->answer[answer].text);
	return text;
}

/* The client was answered, once, with this. */
static inline void expect_answer(struct story *s, int answer, const char *text)
{
	assert_string_equal(answer_text(s, answer), text);
	if (s->answer[answer].here) assert_int_equal(s->answer[answer].times, 1);
}

static inline struct node_metrics metrics_of(struct story *s, int node)
{
	struct node_metrics m;
	assert(s->node[node].node != NULL);
	node_metrics(s->node[node].node, &m);
	return m;
}

/* Run until the client is answered, with 10 s for it. */
static inline int answered(struct story *s, int answer)
{
	for (unsigned i = 0; i < 10000 && !s->answer[answer].here; i++) run(s, 1);
	assert_true(s->answer[answer].here);
	return answer;
}

static inline int put(struct story *s, int node, const char *key, const char *value, int shown)
{
	return answered(s, client_put(s, node, key, value, shown));
}

static inline int get(struct story *s, int node, const char *key)
{
	return answered(s, client_get(s, node, key));
}

static inline int del(struct story *s, int node, const char *key, int shown)
{
	return answered(s, client_delete(s, node, key, shown));
}

#define STORY(name) cmocka_unit_test_setup_teardown(name, story_setup, story_teardown)

#endif
