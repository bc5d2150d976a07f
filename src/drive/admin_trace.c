/* admin_trace.c - one request explained: /admin/trace/ID as JSON, and /admin/trace, which are kept.
 *
 * Each step is given twice: as members for programs, and as `text` for people, a sentence whose subject is
 * the node `name`. What was not so is left out: no `late`, no `stands_for`.
 * Not here: keeping them (traces.c), telling them (core/trace.c). */
#include <inttypes.h>
#include <string.h>

#include "base/full_key.h"
#include "base/panic.h"
#include "drive/admin.h"
#include "drive/admin_json.h"
#include "ring/layout.h"
#include "wire/vtag.h"

enum { NAME_CHARS = MEMBER_NAME_BYTES_MAX + 1, SENTENCE_CHARS = 512 };

/* What a sentence is put together from. */
struct sentence {
	const struct loop *loop;
	const struct trace_kept *kept;
	const struct trace_step *step;
	char *to;
	size_t len;
};

/* ---- words ---------------------------------------------------------------------------------- */

static __attribute__((format(printf, 2, 3))) void say(struct sentence *s, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	int len = vsnprintf(s->to + s->len, SENTENCE_CHARS - s->len, format, args);
	va_end(args);
	if (len > 0) s->len += (size_t)len;
	if (s->len >= SENTENCE_CHARS) s->len = SENTENCE_CHARS - 1; /* it was cut */
}

static struct node_id self_of(const struct loop *l)
{
	return node_self(l->node);
}

/* The name of a member; of one that is none any more, its id. */
static const char *name_of(const struct loop *l, struct node_id id, char to[NAME_CHARS])
{
	const struct layout *y = node_layout(l->node);
	int index = y == NULL ? -1 : layout_find(y, id);
	if (index < 0) {
		snprintf(to, NAME_CHARS, "%016llx", (unsigned long long)id.v);
		return to;
	}
	struct bytes name = y->members[index].name;
	snprintf(to, NAME_CHARS, "%.*s", (int)name.len, (const char *)name.data);
	return to;
}

static const char *op_name(enum request_op op)
{
	static const char *const names[REQUEST_OP_COUNT] = {"get", "put", "delete", "increment"};
	assert(op < REQUEST_OP_COUNT);
	return names[op];
}

static const char *vtag_text(struct dot dot, char to[VTAG_CHARS + 1])
{
	vtag_write(dot, to);
	to[VTAG_CHARS] = '\0';
	return to;
}

/* Whom the step is about: the subject of its sentence. */
static struct node_id subject_of(const struct loop *l, const struct trace_step *s)
{
	switch (s->kind) {
	case TRACE_ANSWER_OF_FORWARD:
	case TRACE_DOWN:
	case TRACE_ASKED:
	case TRACE_ANSWERED:
	case TRACE_DIGEST:
	case TRACE_LATE:
	case TRACE_LOST:
	case TRACE_REPAIR:
	case TRACE_REPAIRED:
	case TRACE_SILENT: return s->node;
	default: return self_of(l);
	}
}

/* Who answered so that it counted, since the write's turn or the last quorum before `step`. */
static uint32_t counted_before(const struct trace_kept *k, const struct trace_step *step,
                               struct node_id who[TARGETS_MAX])
{
	uint32_t count = 0;
	for (const struct trace_step *s = k->steps; s < step; s++) {
		if (s->kind == TRACE_TURN || s->kind == TRACE_QUORUM) count = 0;
		if (s->kind == TRACE_ANSWERED && s->counted && count < TARGETS_MAX) who[count++] = s->node;
	}
	return count;
}

/* ---- sentences ------------------------------------------------------------------------------ */

static void say_place(struct sentence *s)
{
	char name[NAME_CHARS];
	const struct trace_step *t = s->step;
	if (t->stands_for.v != 0)
		say(s, " (fallback for %s, which is down)", name_of(s->loop, t->stands_for, name));
	else if (t->place > 0)
		say(s, " (primary %u)", t->place);
}

static void say_versions(struct sentence *s)
{
	char vtag[VTAG_CHARS + 1];
	const struct trace_step *t = s->step;
	if (t->tombstones == t->siblings)
		say(s, t->siblings == 1 ? "a tombstone" : "%" PRIu32 " tombstones", t->siblings);
	else
		say(s, "%" PRIu32 " %s, %" PRIu64 " byte%s", t->siblings,
		    t->siblings == 1 ? "version" : "siblings", t->bytes, t->bytes == 1 ? "" : "s");
	say(s, t->siblings == 1 ? " (%s)" : " (newest %s)", vtag_text(t->dot, vtag));
}

static void say_admitted(struct sentence *s)
{
	char name[NAME_CHARS];
	const struct trace_step *t = s->step;
	bool read = t->op == REQUEST_GET;
	unsigned need = read ? t->r : t->w > t->dw ? t->w : t->dw;
	unsigned primary = read ? t->pr : t->pw;
	if (!read && t->confirms > need) need = t->confirms;
	say(s, t->err == ERR_OK ? "takes the %s" : "refuses the %s", op_name(t->op));
	if (t->node.v != 0) say(s, " that %s forwards", name_of(s->loop, t->node, name));
	if (t->err != ERR_OK) say(s, ": %s", err_text(t->err));
	if (t->err != ERR_OK || t->n == 0) return;
	say(s, ": %u replicas, needs %u answer%s", t->n, need, need == 1 ? "" : "s");
	if (primary > 0) say(s, ", %u of primaries", primary);
}

static void say_forwarded(struct sentence *s)
{
	char name[NAME_CHARS];
	enum err why = s->step->err;
	say(s, "forwards it to %s: ", name_of(s->loop, s->step->node, name));
	if (why == ERR_OK)
		say(s, "conditions are judged by the first primary that can be reached");
	else if (why == ERR_NOT_MEMBER)
		say(s, "this node is not on the key's preference list");
	else
		say(s, "%s", err_text(why));
}

static void say_asked(struct sentence *s)
{
	bool own = s->step->node.v == self_of(s->loop).v;
	if (s->step->write)
		say(s, own ? "writes to its own store" : "is sent the write");
	else
		say(s, own ? "reads its own store" : "is asked what it holds");
	say_place(s);
}

static void say_answered(struct sentence *s)
{
	const struct trace_step *t = s->step;
	if (t->write && t->err == ERR_OK)
		say(s, "has it on disk");
	else if (t->err == ERR_OK)
		say(s, "has "), say_versions(s);
	else if (t->err == ERR_NOT_FOUND)
		say(s, "has nothing");
	else
		say(s, "could not: %s", err_text(t->err));
	if (!t->write && !t->vouched) say(s, "; does not vouch for its memory");
	if (t->late)
		say(s, "; after the answer");
	else if (!t->counted)
		say(s, "; does not count");
}

static void say_quorum(struct sentence *s)
{
	char name[NAME_CHARS];
	struct node_id who[TARGETS_MAX];
	const struct trace_step *t = s->step;
	uint32_t count = counted_before(s->kept, t, who);
	say(s, t->err == ERR_OK ? "has heard enough: %u of %u" : "cannot hear enough: %u of %u", t->got,
	    t->need);
	if (t->need_primary > 0) say(s, ", primaries %u of %u", t->got_primary, t->need_primary);
	for (uint32_t i = 0; i < count; i++)
		say(s, "%s%s", i == 0 ? " (" : ", ", name_of(s->loop, who[i], name));
	if (count > 0) say(s, ")");
}

static void say_replied(struct sentence *s)
{
	char name[NAME_CHARS], vtag[VTAG_CHARS + 1];
	const struct trace_step *t = s->step, *first = &s->kept->steps[0];
	bool forwarded = first->node.v != 0;
	say(s, "answers %s: ", forwarded ? name_of(s->loop, first->node, name) : "the client");
	if (t->err == ERR_OK && first->op != REQUEST_GET && t->dot.at.v != 0)
		say(s, "%s, as %s", first->op == REQUEST_DELETE ? "deleted" : "stored",
		    vtag_text(t->dot, vtag));
	else if (t->err == ERR_OK)
		say_versions(s);
	else
		say(s, "%s", err_text(t->err));
	if (t->err != ERR_OK && first->op != REQUEST_GET && t->outcome == OUTCOME_NONE)
		say(s, "; nothing was stored");
	if (t->outcome == OUTCOME_UNKNOWN) say(s, "; the write may be stored");
	if (t->fallbacks > 0) say(s, "; %u of who answered stood in", t->fallbacks);
}

static void say_repair(struct sentence *s)
{
	bool own = s->step->node.v == self_of(s->loop).v;
	if (s->step->kind == TRACE_REPAIR)
		say(s, own ? "is stale, and merges what was found" : "is stale, and sent what was found");
	else if (s->step->err == ERR_OK)
		say(s, "is repaired: has it on disk");
	else
		say(s, "is not repaired: %s", err_text(s->step->err));
}

static void say_step(struct sentence *s)
{
	char name[NAME_CHARS], vtag[VTAG_CHARS + 1];
	const struct trace_step *t = s->step;
	switch (t->kind) {
	case TRACE_ADMITTED: say_admitted(s); break;
	case TRACE_FORWARDED: say_forwarded(s); break;
	case TRACE_ANSWER_OF_FORWARD:
		say(s, "answers: %s", err_text(t->err));
		if (t->outcome == OUTCOME_UNKNOWN) say(s, "; the write may be stored");
		break;
	case TRACE_TURN: say(s, "takes its turn on the key, to write"); break;
	case TRACE_CLOCK: say(s, "waits for a reservation of the clock"); break;
	case TRACE_MINTED: say(s, "names the new version %s", vtag_text(t->dot, vtag)); break;
	case TRACE_DOWN:
		say(s, "is down, and nobody is left to stand in");
		say_place(s);
		break;
	case TRACE_ASKED: say_asked(s); break;
	case TRACE_ANSWERED: say_answered(s); break;
	case TRACE_DIGEST: say(s, "answered the digest of a large object"); break;
	case TRACE_LATE: say(s, "takes longer than it usually does; the next one is asked too"); break;
	case TRACE_LOST: say(s, "went down before it answered"); break;
	case TRACE_QUORUM: say_quorum(s); break;
	case TRACE_JUDGED:
		if (t->err == ERR_OK)
			say(s, "finds that the conditions hold");
		else
			say(s, "finds: %s", err_text(t->err));
		break;
	case TRACE_HINTED:
		say(s, "keeps a hint for %s, which misses the write", name_of(s->loop, t->node, name));
		break;
	case TRACE_REPLIED: say_replied(s); break;
	case TRACE_REPAIR:
	case TRACE_REPAIRED: say_repair(s); break;
	case TRACE_SILENT: say(s, "has not answered"); break;
	case TRACE_ENDED: say(s, "is done"); break;
	case TRACE_KIND_COUNT: unreachable();
	}
}

/* ---- members -------------------------------------------------------------------------------- */

static void set_name(const struct loop *l, json_t *o, const char *member, struct node_id id)
{
	char name[NAME_CHARS];
	set_bytes(o, member, bytes_of_string(name_of(l, id, name)));
}

static void set_vtag(json_t *o, struct dot dot)
{
	char vtag[VTAG_CHARS + 1];
	if (dot.at.v != 0) set(o, "vtag", json_string(vtag_text(dot, vtag)));
}

static void set_quorum(const struct sentence *s, json_t *o)
{
	struct node_id who[TARGETS_MAX];
	if (s->step->need == 0) return; /* others counted */
	set_number(o, "got", s->step->got);
	set_number(o, "need", s->step->need);
	set_number(o, "got_primary", s->step->got_primary);
	set_number(o, "need_primary", s->step->need_primary);
	if (s->step->kind != TRACE_QUORUM) return;
	json_t *by = json_array();
	uint32_t count = counted_before(s->kept, s->step, who);
	for (uint32_t i = 0; i < count; i++) {
		char name[NAME_CHARS];
		json_array_append_new(by, json_string(name_of(s->loop, who[i], name)));
	}
	set(o, "by", by);
}

static void set_answer(const struct trace_step *t, json_t *o)
{
	set(o, "error", t->err == ERR_OK ? json_null() : json_string(err_name(t->err)));
	if (t->siblings > 0) set_number(o, "siblings", t->siblings);
	if (t->siblings > 0) set_number(o, "tombstones", t->tombstones);
	if (t->siblings > 0) set_number(o, "bytes", t->bytes);
	set_vtag(o, t->dot);
	if (t->kind != TRACE_ANSWERED) return;
	set(o, "counted", json_boolean(t->counted));
	if (!t->write) set(o, "vouched", json_boolean(t->vouched));
}

static void set_particulars(const struct sentence *s, json_t *o)
{
	const struct trace_step *t = s->step;
	switch (t->kind) {
	case TRACE_ADMITTED:
		set_number(o, "n", t->n), set_number(o, "r", t->r), set_number(o, "pr", t->pr);
		set_number(o, "w", t->w), set_number(o, "pw", t->pw), set_number(o, "dw", t->dw);
		set_number(o, "node_confirms", t->confirms);
		break;
	case TRACE_FORWARDED:
		set_name(s->loop, o, "to", t->node);
		set(o, "because", t->err == ERR_OK ? json_null() : json_string(err_name(t->err)));
		break;
	case TRACE_ANSWER_OF_FORWARD:
	case TRACE_ANSWERED:
	case TRACE_JUDGED:
	case TRACE_REPAIRED: set_answer(t, o); break;
	case TRACE_MINTED: set_vtag(o, t->dot); break;
	case TRACE_HINTED: set_name(s->loop, o, "missed_by", t->node); break;
	case TRACE_QUORUM:
	case TRACE_REPLIED:
		set_answer(t, o);
		set_quorum(s, o);
		if (t->kind == TRACE_REPLIED) set_number(o, "fallbacks", t->fallbacks);
		break;
	default: break;
	}
}

static json_t *step_json(struct sentence *s)
{
	const struct trace_step *t = s->step;
	json_t *o = json_object();
	struct node_id subject = subject_of(s->loop, t);
	set_number(o, "us", t->at.us - s->kept->began.us);
	set(o, "step", json_string(trace_kind_name(t->kind)));
	set_hex(o, "node", subject.v);
	set_name(s->loop, o, "name", subject);
	if (t->place > 0) set_number(o, "place", t->place);
	if (t->place > 0) set(o, "for", json_string(t->write ? "write" : "read"));
	if (t->stands_for.v != 0) set_name(s->loop, o, "stands_for", t->stands_for);
	if (t->late) set(o, "late", json_true());
	set_particulars(s, o);
	s->len = 0;
	say_step(s);
	set_bytes(o, "text", bytes_of(s->to, s->len));
	return o;
}

/* ---- documents ------------------------------------------------------------------------------ */

static json_t *head_json(const struct loop *l, const struct trace_kept *k)
{
	struct bytes type, bucket, key;
	json_t *o = json_object();
	set_hex(o, "trace", k->id.v);
	set(o, "op", json_string(op_name(k->steps[0].op)));
	if (k->key_len > 0 && full_key_split(bytes_of(k->key, k->key_len), &type, &bucket, &key)) {
		set_bytes(o, "type", type);
		set_bytes(o, "bucket", bucket);
		set_bytes(o, "key", key);
	}
	set_number(o, "began_ms", k->began_wall.ms);
	if (k->steps[0].node.v != 0) set_name(l, o, "forwarded_by", k->steps[0].node);
	set(o, "ended", json_boolean(k->ended));
	return o;
}

/* The node that a request was forwarded to last tells the rest. */
static void set_rest(const struct loop *l, const struct trace_kept *k, json_t *o)
{
	struct node_id to = {0};
	for (uint32_t i = 0; i < k->count; i++)
		if (k->steps[i].kind == TRACE_FORWARDED) to = k->steps[i].node;
	if (to.v == 0) return;
	json_t *rest = json_object();
	set_hex(rest, "id", to.v);
	set_name(l, rest, "name", to);
	if (k->http[0] != '\0') {
		char url[sizeof k->http + 8];
		snprintf(url, sizeof url, "http://%s", k->http);
		set(rest, "url", json_string(url));
	}
	set(o, "rest", rest);
}

static int one(const struct loop *l, const struct trace_kept *k, struct buffer *to)
{
	char text[SENTENCE_CHARS] = "";
	json_t *o = head_json(l, k), *steps = json_array(), *node = json_object();
	set_hex(node, "id", self_of(l).v);
	set(node, "name", json_string(l->config->name));
	set(o, "node", node);
	set_rest(l, k, o);
	set_number(o, "steps_dropped", k->dropped);
	for (uint32_t i = 0; i < k->count; i++) {
		struct sentence s = {l, k, &k->steps[i], text, 0};
		json_array_append_new(steps, step_json(&s));
	}
	set(o, "steps", steps);
	dump(o, to);
	return 200;
}

static int all(const struct loop *l, struct buffer *to)
{
	struct instant now = loop_now();
	json_t *o = json_object(), *list = json_array();
	const struct trace_kept *k;
	set_number(o, "kept_most", TRACES_KEPT_MAX);
	set_number(o, "kept_seconds", TRACE_KEPT_US / SECONDS(1));
	for (uint32_t i = 0; (k = traces_at(&l->traces, i, now)) != NULL; i++)
		json_array_append_new(list, head_json(l, k));
	set(o, "traces", list);
	dump(o, to);
	return 200;
}

int admin_trace(struct loop *l, const struct http_target *t, struct buffer *to)
{
	struct trace_id id;
	char why[256];
	if (t->segment_count == 2) return all(l, to);
	if (t->segment_count != 3) return 404;
	if (!trace_id_read(t->segments[2], &id))
		return refuse(to, 400, "expected /admin/trace/ID with the 16 hex digits of X-Dunlin-Trace");
	const struct trace_kept *k = traces_find(&l->traces, id, loop_now());
	if (k != NULL) return one(l, k, to);
	snprintf(why, sizeof why,
	         "no such trace here: a node keeps its last %d traces for %lu minutes, and only of "
	         "requests that it took itself",
	         TRACES_KEPT_MAX, TRACE_KEPT_US / SECONDS(60));
	return refuse(to, 404, why);
}
