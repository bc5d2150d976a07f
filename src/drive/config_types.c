/* config_types.c - bucket types as the configuration declares them.
 *
 *   bucket_type = carts n_val=3 allow_mult=true, sessions ttl=3600
 *
 * All nodes of a cluster should declare the same ones: a type that a node does not know is 404 there. */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "drive/config.h"
#include "wire/http_text.h"

static bool number(struct bytes text, int64_t *value)
{
	int64_t v = 0;
	for (size_t i = 0; i < text.len; i++) {
		if (!http_text_is_digit(text.data[i]) || i == 12) return false;
		v = v * 10 + (text.data[i] - '0');
	}
	*value = v;
	return text.len > 0;
}

static bool word(struct bytes text, int64_t *value)
{
	static const struct {
		const char *word;
		int64_t value;
	} words[] = {{"one", QUORUM_ONE}, {"quorum", QUORUM_QUORUM}, {"all", QUORUM_ALL}};
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		if (!bytes_equal(text, bytes_of_string(words[i].word))) continue;
		*value = words[i].value;
		return true;
	}
	return false;
}

static bool sync_word(struct bytes text, int64_t *value)
{
	static const char *const words[] = {"default", "backend", "one", "all"};
	for (int64_t i = 0; i < 4; i++) {
		if (!bytes_equal(text, bytes_of_string(words[i]))) continue;
		*value = i;
		return true;
	}
	return false;
}

bool config_prop_value(unsigned prop, struct bytes text, int64_t *value)
{
	bool read = false;
	switch (prop_row(prop).kind) {
	case PROP_BOOL:
		*value = bytes_equal(text, BYTES("true"));
		read = *value != 0 || bytes_equal(text, BYTES("false"));
		break;
	case PROP_QUORUM: read = word(text, value) || number(text, value); break;
	case PROP_NUMBER: read = number(text, value); break;
	case PROP_SYNC: read = sync_word(text, value); break;
	}
	return read && prop_fits(prop, *value);
}

/* One "property=value". */
static bool add_prop(struct bucket_type *t, struct bytes text)
{
	const uint8_t *equals = memchr(text.data, '=', text.len);
	if (equals == NULL || t->change_count == PROP_COUNT) return false;
	struct bytes name = bytes_of(text.data, (size_t)(equals - text.data));
	struct bytes value = bytes_of(equals + 1, text.len - name.len - 1);
	struct prop_change *c = &t->changes[t->change_count];
	unsigned prop = prop_find(name);
	if (prop == PROP_COUNT || !config_prop_value(prop, value, &c->value)) return false;
	c->prop = (uint8_t)prop;
	t->change_count++;
	return true;
}

/* "NAME property=value ..." */
static bool add_type(struct config_types *types, const char *text, size_t len)
{
	bool named = false;
	if (types->items == NULL) types->items = calloc(BUCKET_TYPES_MAX, sizeof *types->items);
	if (types->items == NULL || types->count == BUCKET_TYPES_MAX) return false;
	struct bucket_type *t = &types->items[types->count];
	*t = (struct bucket_type){0};
	for (size_t at = 0; at < len;) {
		size_t word_len = strcspn(text + at, " \t,");
		struct bytes piece = bytes_of(text + at, word_len);
		at += word_len;
		at += strspn(text + at, " \t");
		if (word_len == 0) continue;
		if (named) {
			if (!add_prop(t, piece)) return false;
			continue;
		}
		char *name = strndup((const char *)piece.data, piece.len);
		named = name != NULL && piece.len <= TYPE_BYTES_MAX &&
		        memchr(piece.data, '=', piece.len) == NULL;
		if (!named) {
			free(name);
			return false;
		}
		t->name = bytes_of(name, piece.len);
		types->count++; /* from here on config_types_free knows it */
	}
	return true;
}

bool config_types_set(struct config_types *types, enum config_source source, const char *text)
{
	if (types->source < (uint32_t)source) {
		config_types_free(types);
		types->source = (uint32_t)source;
	}
	while (*text != '\0') {
		text += strspn(text, ", \t");
		size_t len = strcspn(text, ",");
		if (len > 0 && !add_type(types, text, len)) return false;
		text += len;
	}
	return true;
}

void config_types_free(struct config_types *types)
{
	for (uint32_t i = 0; i < types->count; i++) {
		void *name; /* ours, though a view is of constant bytes */
		memcpy(&name, &types->items[i].name.data, sizeof name);
		free(name);
	}
	free(types->items);
	*types = (struct config_types){.source = types->source};
}
