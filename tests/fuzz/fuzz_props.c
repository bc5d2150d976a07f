/* fuzz_props.c - documents of bucket properties, and bucket types of the configuration: whatever is
 * read holds only values that fit, each property once. */
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/panic.h"
#include "drive/config.h"
#include "drive/props_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check(const struct prop_change *changes, uint32_t count)
{
	assert(count <= PROP_COUNT);
	for (uint32_t i = 0; i < count; i++)
		assert(changes[i].prop < PROP_COUNT && prop_fits(changes[i].prop, changes[i].value));
}

static void read_document(const uint8_t *data, size_t len)
{
	struct props_document d;
	struct buffer wrong = {0};
	enum props_json_verdict v = props_json_read(bytes_of(data, len), &d, &wrong);
	check(d.changes, d.count);
	for (uint32_t i = 0; i < d.count; i++)
		for (uint32_t k = 0; k < i; k++) assert(d.changes[i].prop != d.changes[k].prop);
	assert((v == PROPS_JSON_WRONG) == (wrong.len > 0));
	buffer_free(&wrong);
}

static void read_types(const uint8_t *data, size_t len)
{
	struct config_types t = {0};
	char *text = malloc(len + 1);
	assert(text != NULL);
	memcpy(text, data, len);
	text[len] = '\0';
	bool read = config_types_set(&t, CONFIG_FILE, text);
	for (uint32_t i = 0; read && i < t.count; i++) {
		assert(t.items[i].name.len > 0 && t.items[i].name.len <= TYPE_BYTES_MAX);
		check(t.items[i].changes, t.items[i].change_count);
	}
	config_types_free(&t);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (len == 0) return 0;
	if (data[0] == '{')
		read_document(data, len);
	else
		read_types(data, len);
	return 0;
}
