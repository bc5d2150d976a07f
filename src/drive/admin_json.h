/* admin_json.h - the JSON of /admin: members of objects, and answers. For admin*.c. */
#ifndef DUNLIN_DRIVE_ADMIN_JSON_H
#define DUNLIN_DRIVE_ADMIN_JSON_H

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "drive/buffer.h"
#include "wire/http_out.h"

/* `value` is taken over; NULL (no memory) leaves the member out. */
static inline void set(json_t *object, const char *name, json_t *value)
{
	json_object_set_new(object, name, value);
}

static inline void set_hex(json_t *object, const char *name, uint64_t v)
{
	char text[17];
	snprintf(text, sizeof text, "%016llx", (unsigned long long)v);
	set(object, name, json_string(text));
}

static inline void set_number(json_t *object, const char *name, uint64_t v)
{
	set(object, name, json_integer((json_int_t)v));
}

static inline void set_bytes(json_t *object, const char *name, struct bytes b)
{
	json_t *text = json_stringn(b.data == NULL ? "" : (const char *)b.data, b.len);
	char encoded_name[32];
	struct buffer escaped = {0};
	if (text != NULL) {
		set(object, name, text);
		return;
	}
	struct http_out out = {0};
	http_out_escaped(&out, b);
	out = (struct http_out){buffer_room(&escaped, out.len), out.len, 0};
	if (out.data == NULL) return;
	http_out_escaped(&out, b);
	snprintf(encoded_name, sizeof encoded_name, "%s_encoded", name);
	set(object, encoded_name, json_stringn((const char *)out.data, out.len));
	buffer_free(&escaped);
}

/* The document with its newline; it is released. */
static inline void dump(json_t *document, struct buffer *to)
{
	char *text = json_dumps(document, JSON_COMPACT);
	if (text != NULL) {
		buffer_append(to, bytes_of_string(text));
		buffer_append(to, BYTES("\n"));
	}
	free(text);
	json_decref(document);
}

static inline int refuse(struct buffer *to, int status, const char *why)
{
	json_t *document = json_object();
	set(document, "error", json_string(why));
	dump(document, to);
	return status;
}

#endif
