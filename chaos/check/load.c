/* load.c - see load.h.
 *
 *   pass 1: how many operations and keys       pass 2: line by line into the history
 *
 * Lines stand in the order in which they were written, and an operation's invoke line is written
 * before it is sent: so whatever an answer shows has been invoked above it. A value's number is that
 * of the operation that wrote it. Not here: any judgement; a line that makes no sense ends it. */
#include "chaos/check/load.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/panic.h"
#include "wire/vtag.h"

/* Instead of an operation's number, in what an answer showed. */
#define SHOWN_TOMBSTONE (-1)
#define SHOWN_FOREIGN (-2)

struct reader {
	struct loaded *l;
	bool demanding;
	uint32_t replicas, keys, ops;
};

static bool wrong(struct loaded *l, const char *why)
{
	if (l->why[0] == 0) snprintf(l->why, sizeof l->why, "%s", why);
	return false;
}

/* ---- members of a line ---------------------------------------------------------------------- */

static const char *text_of(const json_t *line, const char *name)
{
	const char *text = json_string_value(json_object_get(line, name));
	return text != NULL ? text : "";
}

/* A number from 0 to max, or `otherwise` where there is none. */
static bool number_of(struct loaded *l, const json_t *line, const char *name, uint64_t max,
                      uint64_t otherwise, uint64_t *out)
{
	const json_t *v = json_object_get(line, name);
	*out = otherwise;
	if (v == NULL) return true;
	json_int_t n = json_integer_value(v);
	if (!json_is_integer(v) || n < 0 || (uint64_t)n > max) return wrong(l, name);
	*out = (uint64_t)n;
	return true;
}

static bool is_set(const json_t *line, const char *name)
{
	return json_is_true(json_object_get(line, name));
}

/* ---- what an answer shows ------------------------------------------------------------------- */

static bool dot_of(struct loaded *l, const char *vtag, struct dot *out)
{
	*out = (struct dot){{0}, {0}};
	if (vtag == NULL || vtag[0] == 0) return true;
	return vtag_read(bytes_of_string(vtag), out) || wrong(l, "a vtag that is none");
}

static bool show_one(struct loaded *l, uint32_t op, const json_t *item)
{
	struct dot dot;
	const json_t *first = json_array_get(item, 0);
	json_int_t of = json_integer_value(first);
	if (!json_is_integer(first)) return wrong(l, "shown");
	if (!dot_of(l, json_string_value(json_array_get(item, 1)), &dot)) return false;
	if (of == SHOWN_FOREIGN) {
		if (l->foreign_op == HIST_NOBODY) l->foreign_op = op;
	} else if (of == SHOWN_TOMBSTONE) {
		history_shown_tombstone(&l->history, dot);
	} else {
		if (of < 0 || of >= l->op_count || !l->ops[of].known || l->ops[of].verb != LOAD_PUT ||
		    l->ops[of].key != l->ops[op].key)
			return wrong(l, "a value is shown that no operation above wrote to this key");
		history_shown_value(&l->history, l->ops[of].write, dot);
	}
	return true;
}

static bool show_all(struct loaded *l, uint32_t op, const json_t *line)
{
	size_t i;
	const json_t *item;
	l->ops[op].shown = history_shown_new(&l->history, l->ops[op].key);
	json_array_foreach(json_object_get(line, "shown"), i, item)
	{
		if (!show_one(l, op, item)) return false;
	}
	return true;
}

/* ---- lines ---------------------------------------------------------------------------------- */

static bool on_write(struct reader *r, struct load_op *o, const json_t *line, uint64_t op)
{
	struct loaded *l = r->l;
	uint64_t context, pw;
	if (!number_of(l, line, "ctx", l->op_count - 1, UINT64_MAX, &context) ||
	    !number_of(l, line, "pw", 255, 0, &pw))
		return false;
	bool has = context != UINT64_MAX;
	if (has && (!l->ops[context].answered || l->ops[context].key != o->key))
		return wrong(l, "a context that no answer of this key gave");
	uint32_t shown = has ? l->ops[context].shown : HIST_NOTHING;
	enum hist_op kind = o->verb == LOAD_PUT ? HIST_PUT : HIST_DELETE;
	o->write = history_write(&l->history, o->key, kind, shown, o->began_us);
	l->history.writes[o->write].pw = (uint8_t)pw;
	l->history.writes[o->write].blind_delete = kind == HIST_DELETE && !has;
	l->op_of_write[o->write] = (uint32_t)op;
	return true;
}

static bool view_of(struct reader *r, struct load_op *o, const char *name)
{
	o->view = HIST_READ;
	if (strcmp(name, "final") == 0) o->view = HIST_FINAL;
	if (strcmp(name, "again") == 0) o->view = HIST_FINAL_AGAIN;
	return o->view != HIST_READ || name[0] == 0 || wrong(r->l, "view");
}

static bool on_invoke(struct reader *r, const json_t *line, uint64_t t)
{
	struct loaded *l = r->l;
	uint64_t op, key, pr, at_least;
	if (!number_of(l, line, "op", l->op_count - 1, UINT64_MAX, &op) ||
	    !number_of(l, line, "key", r->keys, UINT64_MAX, &key) ||
	    !number_of(l, line, "pr", 255, 0, &pr) || op == UINT64_MAX || key == UINT64_MAX)
		return wrong(l, "op or key");
	if (l->ops[op].known) return wrong(l, "an operation is invoked twice");
	const char *verb = text_of(line, "f");
	struct load_op o = {.known = true, .key = (uint32_t)key, .pr = (uint8_t)pr, .began_us = t};
	o.demanded = r->demanding;
	o.write = HIST_NOBODY;
	o.verb = strcmp(verb, "put") == 0 ? LOAD_PUT : LOAD_GET;
	if (strcmp(verb, "delete") == 0) o.verb = LOAD_DELETE;
	if (o.verb == LOAD_GET && strcmp(verb, "get") != 0) return wrong(l, "f");
	if (!view_of(r, &o, text_of(line, "view"))) return false;
	if (!number_of(l, line, "at_least", l->op_count - 1, UINT64_MAX, &at_least)) return false;
	if (at_least != UINT64_MAX) {
		if (!l->ops[at_least].answered || l->ops[at_least].key != o.key)
			return wrong(l, "a context that no answer of this key gave");
		o.at_least = l->ops[at_least].shown;
	}
	l->ops[op] = o;
	return o.verb == LOAD_GET || on_write(r, &l->ops[op], line, op);
}

static void note_read(struct loaded *l, const struct load_op *o, uint64_t t)
{
	struct hist_read read = {.view = o->view,
	                         .key = o->key,
	                         .shown = o->shown,
	                         .at_least = o->at_least,
	                         .pr = o->pr,
	                         .began_us = o->began_us,
	                         .ended_us = t};
	history_read(&l->history, &read);
	l->final_reads += o->view == HIST_FINAL;
	l->quorum_reads += o->pr > 0;
	l->session_reads += o->at_least != HIST_NOTHING;
}

static bool on_ok(struct loaded *l, uint32_t op, const json_t *line, uint64_t t)
{
	struct load_op *o = &l->ops[op];
	struct dot dot;
	if (!dot_of(l, text_of(line, "vtag"), &dot) || !show_all(l, op, line)) return false;
	o->answered = true;
	if (o->verb == LOAD_GET) {
		note_read(l, o, t);
		return true;
	}
	history_answer(&l->history, o->write, HIST_ACKED, dot, t);
	if (o->verb == LOAD_PUT)
		history_shown_value(&l->history, o->write, dot);
	else
		history_shown_tombstone(&l->history, dot);
	return true;
}

static bool on_answer(struct loaded *l, const json_t *line, const char *type, uint64_t t)
{
	uint64_t op;
	if (!number_of(l, line, "op", l->op_count - 1, UINT64_MAX, &op)) return false;
	if (op == UINT64_MAX || !l->ops[op].known || t < l->ops[op].began_us)
		return wrong(l, "an answer to what was not invoked above");
	if (type[0] == 'o') return on_ok(l, (uint32_t)op, line, t);
	struct load_op *o = &l->ops[op];
	o->excused = is_set(line, "again") || is_set(line, "excused");
	if (o->verb == LOAD_GET) return true;
	enum hist_outcome outcome = type[0] == 'f' ? HIST_NONE : HIST_UNKNOWN;
	history_answer(&l->history, o->write, outcome, (struct dot){{0}, {0}}, t);
	return true;
}

static bool on_compare(struct loaded *l, const json_t *line)
{
	if (strcmp(text_of(line, "when"), "after") != 0) return true;
	l->compared = true;
	return number_of(l, line, "keys", INT64_MAX, 0, &l->compared_keys) &&
	       number_of(l, line, "different", INT64_MAX, 0, &l->different) &&
	       number_of(l, line, "failed", INT64_MAX, 0, &l->not_compared);
}

static void on_drained(struct loaded *l, const json_t *line)
{
	l->drained = is_set(line, "ok");
	l->undrained = !l->drained;
	if (l->undrained) snprintf(l->why, sizeof l->why, "%s", text_of(line, "why"));
}

static bool on_line(struct reader *r, const json_t *line)
{
	const char *type = text_of(line, "type");
	uint64_t t;
	if (!number_of(r->l, line, "t", INT64_MAX / 2, 0, &t)) return false;
	if (strcmp(type, "invoke") == 0) return on_invoke(r, line, t);
	if (strcmp(type, "ok") == 0 || strcmp(type, "fail") == 0 || strcmp(type, "unknown") == 0)
		return on_answer(r->l, line, type, t);
	if (strcmp(type, "compare") == 0) return on_compare(r->l, line);
	if (strcmp(type, "phase") == 0) r->demanding = is_set(line, "demand");
	if (strcmp(type, "drained") == 0) on_drained(r->l, line);
	return type[0] != 0 || wrong(r->l, "a line without a type");
}

/* ---- passes --------------------------------------------------------------------------------- */

static bool count_line(struct reader *r, const json_t *line)
{
	uint64_t op, key, n;
	if (!number_of(r->l, line, "op", LOAD_OPS_MAX, 0, &op) ||
	    !number_of(r->l, line, "key", LOAD_KEYS_MAX, 0, &key) ||
	    !number_of(r->l, line, "n", 255, 0, &n))
		return false;
	if (op > r->ops) r->ops = (uint32_t)op;
	if (key > r->keys) r->keys = (uint32_t)key;
	if (n > 0 && strcmp(text_of(line, "type"), "run") == 0) r->replicas = (uint32_t)n;
	return true;
}

typedef bool line_function(struct reader *r, const json_t *line);

static bool each_line(struct reader *r, FILE *file, line_function *take)
{
	char *text = NULL;
	size_t room = 0;
	bool good = true;
	rewind(file);
	r->l->line = 0;
	for (ssize_t len; good && (len = getline(&text, &room, file)) > 0;) {
		r->l->line++;
		json_t *line = json_loadb(text, (size_t)len, 0, NULL);
		good = json_is_object(line) ? take(r, line) : wrong(r->l, "not a line of JSON");
		json_decref(line);
	}
	free(text);
	return good;
}

bool load_history(struct loaded *l, const char *path)
{
	*l = (struct loaded){.foreign_op = HIST_NOBODY};
	struct reader r = {.l = l, .replicas = REPLICAS_DEFAULT};
	FILE *file = fopen(path, "re");
	history_init(&l->history, 1, r.replicas);
	if (file == NULL) return wrong(l, "it cannot be opened");
	bool good = each_line(&r, file, count_line);
	if (good) {
		history_free(&l->history);
		history_init(&l->history, r.keys + 1, r.replicas);
		l->op_count = r.ops + 1;
		l->ops = calloc(l->op_count, sizeof *l->ops);
		l->op_of_write = calloc(l->op_count, sizeof *l->op_of_write);
		assert(l->ops != NULL && l->op_of_write != NULL);
		good = each_line(&r, file, on_line);
	}
	fclose(file);
	if (good) history_settle(&l->history);
	return good;
}

void load_free(struct loaded *l)
{
	history_free(&l->history);
	free(l->ops);
	free(l->op_of_write);
	*l = (struct loaded){0};
}
