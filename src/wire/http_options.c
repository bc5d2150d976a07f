/* http_options.c - see http_options.h. All quorum parameters are judged on every method, though
 * each uses only some; names that are not known are nobody's mistake. The texts of bad values are
 * matched by existing clients, so they stay as they are. */
#include "wire/http_options.h"

#include "base/panic.h"
#include "wire/http_text.h"

/* ---- timeout ----------------------------------------------------------------------------- */

/* A decimal number; what is above `max` reads as max. False: not only digits. */
static bool read_number(struct bytes text, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;
	for (size_t i = 0; i < text.len; i++) {
		if (!http_text_is_digit(text.data[i])) return false;
		v = v * 10 + (uint64_t)(text.data[i] - '0');
		if (v > max) v = max;
	}
	assert(v <= max && max < UINT64_MAX / 11);
	*out = v;
	return text.len > 0;
}

static bool read_timeout(const struct http_target *t, struct request_options *out,
                         struct http_failure *why)
{
	struct bytes text;
	uint64_t ms = 0;
	if (!http_target_param(t, "timeout", &text)) return true;
	if (!read_number(text, REQUEST_TIMEOUT_US_MAX / 1000, &ms) || ms == 0)
		return http_failure_set(why, 400, "Bad timeout value \"%.*s\"",
		                        (int)(text.len < 128 ? text.len : 128), (const char *)text.data);
	out->timeout_us = ms * 1000;
	return true;
}

/* ---- quorum values ----------------------------------------------------------------------- */

static bool read_word(struct bytes text, int16_t *out)
{
	static const struct {
		const char *word;
		int16_t value;
	} words[] = {{"one", QUORUM_ONE},
	             {"quorum", QUORUM_QUORUM},
	             {"all", QUORUM_ALL},
	             {"default", QUORUM_DEFAULT}};
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (!bytes_equal(text, bytes_of_string(words[i].word))) continue;
		*out = words[i].value;
		return true;
	}
	return false;
}

/* A value too large for the field is above every n, and the core will say so. */
static bool read_quorum(const struct http_target *t, const char *name, int at_least, int16_t *out,
                        struct http_failure *why)
{
	struct bytes text;
	uint64_t v = 0;
	if (!http_target_param(t, name, &text) || read_word(text, out)) return true;
	bool negative = text.len > 0 && text.data[0] == '-';
	struct bytes digits = {text.data + negative, text.len - negative};
	if (!read_number(digits, INT16_MAX, &v))
		return http_failure_set(why, 400,
		                        "%s query parameter must be an integer or one of the following "
		                        "words: 'one', 'quorum' or 'all'",
		                        name);
	if (negative || v < (uint64_t)at_least)
		return http_failure_set(why, 400, "%s query parameter must be at least %d", name, at_least);
	*out = (int16_t)v;
	return true;
}

static bool read_quorums(const struct http_target *t, struct request_options *o,
                         struct http_failure *why)
{
	return read_quorum(t, "r", 1, &o->r, why) && read_quorum(t, "w", 1, &o->w, why) &&
	       read_quorum(t, "dw", 0, &o->dw, why) && read_quorum(t, "rw", 1, &o->rw, why) &&
	       read_quorum(t, "pr", 0, &o->pr, why) && read_quorum(t, "pw", 0, &o->pw, why) &&
	       read_quorum(t, "node_confirms", 0, &o->node_confirms, why);
}

/* ---- booleans ---------------------------------------------------------------------------- */

static bool read_boolean(const struct http_target *t, const char *name, int8_t *out,
                         struct http_failure *why)
{
	struct bytes text;
	if (!http_target_param(t, name, &text)) return true;
	if (http_text_same(text, BYTES("true")))
		*out = 1;
	else if (http_text_same(text, BYTES("false")))
		*out = 0;
	else if (http_text_same(text, BYTES("default")))
		*out = BOOL_DEFAULT;
	else
		return http_failure_set(why, 400, "%s query parameter must be true or false", name);
	return true;
}

/* ---- sync_on_write ----------------------------------------------------------------------- */

/* Judged, and of no effect: whoever acknowledges a write has it on disk. */
static bool check_sync(const struct http_target *t, enum request_op op, struct http_failure *why)
{
	static const char *const words[] = {"default", "backend", "one", "all"};
	struct bytes text;
	if (op != REQUEST_PUT || !http_target_param(t, "sync_on_write", &text)) return true;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (bytes_equal(text, bytes_of_string(words[i]))) return true;
	}
	return http_failure_set(why, 400,
	                        "sync_on_write query parameter must be default, backend, one or all");
}

/* ---- consistency ------------------------------------------------------------------------- */

/* A name for r, w, pr and pw together; each that was given itself stays as given. */
static bool read_consistency(const struct http_request *r, const struct http_target *t,
                             enum request_op op, struct request_options *o,
                             struct http_failure *why)
{
	static const struct {
		const char *name;
		int16_t rw, prw;
	} levels[] = {{"one", QUORUM_ONE, 0},
	              {"quorum", QUORUM_QUORUM, 0},
	              {"all", QUORUM_ALL, 0},
	              {"primary", QUORUM_QUORUM, QUORUM_QUORUM}};
	struct bytes text;
	bool given = http_target_param(t, "consistency", &text);
	if (!given) text = http_header(r, HTTP_NAME_CONSISTENCY, &given);
	if (!given) return true;
	size_t i = 0, count = sizeof(levels) / sizeof(levels[0]);
	while (i < count && !bytes_equal(text, bytes_of_string(levels[i].name))) i++;
	if (i == count)
		return http_failure_set(why, 400, "consistency must be one, quorum, all or primary");
	bool by_rw = op == REQUEST_DELETE && o->rw != QUORUM_DEFAULT; /* rw stands for r and w there */
	if (o->r == QUORUM_DEFAULT && !by_rw) o->r = levels[i].rw;
	if (o->w == QUORUM_DEFAULT && !by_rw) o->w = levels[i].rw;
	if (o->pr == QUORUM_DEFAULT) o->pr = levels[i].prw;
	if (o->pw == QUORUM_DEFAULT) o->pw = levels[i].prw;
	return true;
}

bool http_options_read(const struct http_request *r, const struct http_target *t,
                       enum request_op op, struct request_options *out, struct http_failure *why)
{
	*out = REQUEST_OPTIONS_DEFAULT;
	if (!read_timeout(t, out, why) || !read_quorums(t, out, why) ||
	    !read_boolean(t, "basic_quorum", &out->basic_quorum, why) ||
	    !read_boolean(t, "notfound_ok", &out->notfound_ok, why) || !check_sync(t, op, why) ||
	    !read_consistency(r, t, op, out, why))
		return false;
	struct bytes text;
	out->return_body = op == REQUEST_PUT && http_target_param(t, "returnbody", &text) &&
	                   bytes_equal(text, BYTES("true"));
	return true;
}
