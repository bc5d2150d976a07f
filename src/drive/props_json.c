/* props_json.c - see props_json.h. */
#include "drive/props_json.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "drive/config.h"
#include "wire/http_text.h"

struct reading {
	struct props_document *out;
	json_t *wrong; /* property -> code; NULL: nothing is */
};

static void blame(struct reading *to, const char *name, const char *code)
{
	if (to->wrong == NULL) to->wrong = json_object();
	json_object_set_new(to->wrong, name, json_string(code));
}

/* Named in documents of this kind, and nothing that a client can change here. */
static bool is_passed_over(const char *name)
{
	static const char *const names[] = {"name",   "name_encoded", "claimant",  "active",
	                                    "search", "chash_keyfun", "linkfun",   "search_index",
	                                    "repl",   "backend",      "consistent"};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		if (strcmp(name, names[i]) == 0) return true;
	return false;
}

static bool read_value(unsigned prop, const json_t *value, int64_t *out)
{
	bool boolean = prop_row(prop).kind == PROP_BOOL;
	if (boolean && json_is_boolean(value)) {
		*out = json_is_true(value);
		return true;
	}
	if (!boolean && prop_row(prop).kind != PROP_SYNC && json_is_integer(value)) {
		*out = json_integer_value(value);
		return prop_fits(prop, *out);
	}
	bool worded = json_is_string(value) && prop_row(prop).kind != PROP_NUMBER;
	struct bytes text = BYTES_EMPTY;
	if (worded) text = bytes_of(json_string_value(value), json_string_length(value));
	bool digits = worded && text.len > 0 && http_text_is_digit(text.data[0]);
	return worded && !digits && config_prop_value(prop, text, out);
}

static void read_member(struct reading *to, const char *name, const json_t *value)
{
	static const char *const codes[] = {[PROP_BOOL] = "not_boolean",
	                                    [PROP_QUORUM] = "not_valid_quorum",
	                                    [PROP_NUMBER] = "not_integer",
	                                    [PROP_SYNC] = "not_valid_sync_param"};
	unsigned prop = prop_find(bytes_of_string(name));
	if (is_passed_over(name)) return;
	if (strcmp(name, "precommit") == 0 || strcmp(name, "postcommit") == 0) {
		if (!json_is_array(value) || json_array_size(value) > 0) blame(to, name, "not_supported");
		return;
	}
	if (prop == PROP_COUNT) {
		bool known = strcmp(name, "datatype") == 0 || strcmp(name, "hll_precision") == 0;
		blame(to, name, known ? "not_supported" : "unknown_property");
		return;
	}
	struct prop_change *c = &to->out->changes[to->out->count];
	*c = (struct prop_change){.prop = (uint8_t)prop};
	if (read_value(prop, value, &c->value))
		to->out->count++;
	else if (prop_row(prop).kind == PROP_NUMBER && json_is_integer(value) &&
	         json_integer_value(value) > prop_row(prop).most)
		blame(to, name, "too_large");
	else
		blame(to, name, codes[prop_row(prop).kind]);
}

enum props_json_verdict props_json_read(struct bytes body, struct props_document *out,
                                        struct buffer *wrong)
{
	struct reading r = {.out = out};
	const char *text = body.len == 0 ? "" : (const char *)body.data;
	json_t *document = json_loadb(text, body.len, JSON_REJECT_DUPLICATES, NULL);
	json_t *props = json_object_get(document, "props");
	const char *name;
	json_t *value;
	*out = (struct props_document){0};
	if (json_is_object(props)) {
		json_object_foreach(props, name, value) read_member(&r, name, value);
	}
	enum props_json_verdict v = !json_is_object(props) ? PROPS_JSON_NONE
	                            : r.wrong != NULL      ? PROPS_JSON_WRONG
	                                                   : PROPS_JSON_READ;
	char *dumped = r.wrong == NULL ? NULL : json_dumps(r.wrong, JSON_COMPACT);
	if (dumped != NULL) buffer_append(wrong, bytes_of_string(dumped));
	free(dumped);
	json_decref(r.wrong);
	json_decref(document);
	return v;
}
