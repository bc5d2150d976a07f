/* trace.c - see trace.h. */
#include "tests/sim/trace.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/bytes.h"
#include "base/panic.h"

/* Is this line wanted? Then its time is printed. */
static bool line_begins(const struct world *w)
{
	struct trace *t = (struct trace *)(uintptr_t)&w->trace; /* counting lines changes no run */
	if (!t->on || t->lines++ < t->skip) return false;
	printf("[%11.6f] ", (double)w->now_us / 1e6);
	return true;
}

static void line_ends(const char *format, va_list args)
{
	vprintf(format, args);
	putchar('\n');
}

void trace_world(const struct world *w, const char *format, ...)
{
	if (!line_begins(w)) return;
	va_list args;
	va_start(args, format);
	line_ends(format, args);
	va_end(args);
}

void trace_strike(const struct world *w, enum fault_kind kind, const char *format, ...)
{
	if (!line_begins(w)) return;
	printf("%s.%u: ", options_fault_word(kind), w->strike);
	va_list args;
	va_start(args, format);
	line_ends(format, args);
	va_end(args);
}

void trace_key(const struct world *w, struct bytes key, const char *format, ...)
{
	if (key.len == 0 || !bytes_equal(key, w->trace.key) || !line_begins(w)) return;
	va_list args;
	va_start(args, format);
	line_ends(format, args);
	va_end(args);
}

static const char *type_name(enum msg_type type)
{
	static const char *const names[MSG_TYPE_END] = {[MSG_HEARTBEAT] = "heartbeat",
	                                                [MSG_PUT] = "put",
	                                                [MSG_PUT_ACK] = "put-ack",
	                                                [MSG_GET] = "get",
	                                                [MSG_GET_REPLY] = "get-reply",
	                                                [MSG_FORWARD] = "forward",
	                                                [MSG_FORWARD_REPLY] = "forward-reply",
	                                                [MSG_SCAN] = "scan",
	                                                [MSG_SCAN_REPLY] = "scan-reply",
	                                                [MSG_PROPOSE] = "propose",
	                                                [MSG_VOTE] = "vote",
	                                                [MSG_LAYOUT] = "layout",
	                                                [MSG_REAP] = "reap",
	                                                [MSG_REAP_DONE] = "reap-done"};
	assert(type > 0 && type < MSG_TYPE_END);
	return names[type] == NULL ? "?" : names[type];
}

/* What it says of a key: the questions name it; the answers are found by their id. */
static struct bytes key_of(const struct msg *m)
{
	switch (m->type) {
	case MSG_PUT: return m->put.key;
	case MSG_GET: return m->get.key;
	case MSG_FORWARD: return m->forward.request.key;
	default: return BYTES_EMPTY;
	}
}

static enum err err_of(const struct msg *m)
{
	switch (m->type) {
	case MSG_PUT_ACK: return m->put_ack.err;
	case MSG_GET_REPLY: return m->get_reply.err;
	case MSG_FORWARD_REPLY: return m->forward_reply.err;
	default: return ERR_OK;
	}
}

void trace_msg(const struct world *w, uint16_t at, const char *arrow, uint16_t other,
               const struct msg *m)
{
	if (!w->trace.on) return;
	struct bytes key = key_of(m);
	bool answer =
		m->type == MSG_PUT_ACK || m->type == MSG_GET_REPLY || m->type == MSG_FORWARD_REPLY;
	bool forming = m->type == MSG_PROPOSE || m->type == MSG_VOTE || m->type == MSG_LAYOUT;
	if (key.len > 0 && !bytes_equal(key, w->trace.key)) return;
	if (key.len == 0 && !answer && (!forming || w->trace.key.len > 0)) return;
	trace_world(w, "%s %s %s %s #%llx%s%s", w->procs[at].name, arrow, w->procs[other].name,
	            type_name(m->type), (unsigned long long)m->id.v, answer ? " " : "",
	            answer ? err_name(err_of(m)) : "");
}
