/* fuzz_config.c - configurations: a file as it stands, or lines of key=value as flags and as the
 * environment. Whatever is taken is within its row of the table; whatever is refused has its reason, in
 * one line. The first byte says which. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/panic.h"
#include "drive/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PAIRS_MAX = 64 };

/* ---- what holds of each kind ---------------------------------------------------------------- */

static void check_text(const char *text, uint64_t most)
{
	size_t len = strnlen(text, CONFIG_TEXT_BYTES_MAX);
	assert(len < CONFIG_TEXT_BYTES_MAX && len <= most);
}

static void check_address(const char *text)
{
	char host[CONFIG_TEXT_BYTES_MAX];
	uint16_t port;
	check_text(text, CONFIG_TEXT_BYTES_MAX - 1);
	if (text[0] == '\0') return; /* not set */
	assert(config_split_address(text, host, sizeof host, &port) && port > 0);
	config_is_loopback(text);
}

static void check_list(const struct config_list *list, uint64_t most)
{
	char host[MEMBER_ADDRESS_BYTES_MAX + 1];
	uint16_t port;
	assert(list->count <= most);
	for (uint32_t i = 0; i < list->count; i++) {
		assert(strnlen(list->items[i], sizeof list->items[i]) < sizeof list->items[i]);
		assert(config_split_address(list->items[i], host, sizeof host, &port));
	}
}

static void check_types(const struct config_types *types, uint64_t most)
{
	assert(types->count <= most);
	for (uint32_t i = 0; i < types->count; i++) {
		const struct bucket_type *t = &types->items[i];
		assert(t->name.len > 0 && t->name.len <= TYPE_BYTES_MAX && t->change_count <= PROP_COUNT);
		for (uint32_t k = 0; k < t->change_count; k++)
			assert(prop_fits(t->changes[k].prop, t->changes[k].value));
	}
}

static void check_number(uint64_t v, uint64_t least, uint64_t most)
{
	assert(v >= least && v <= most);
}

#define CHECK_TEXT(c, key, least, most) check_text((c)->key, most)
#define CHECK_ADDRESS(c, key, least, most) check_address((c)->key)
#define CHECK_HOSTPORT(c, key, least, most) check_address((c)->key)
#define CHECK_LIST(c, key, least, most) check_list(&(c)->key, most)
#define CHECK_TYPES(c, key, least, most) check_types(&(c)->key, most)
#define CHECK_NUMBER(c, key, least, most) check_number((c)->key, least, most)
#define CHECK_BYTES(c, key, least, most) check_number((c)->key, least, most)
#define CHECK_YESNO(c, key, least, most) check_number((c)->key, 0, 1)
#define CHECK_LEVEL(c, key, least, most) check_number((c)->key, 0, LOG_LEVEL_DEBUG)

static void check_all(const struct config *c)
{
#define X(key, kind, least, most, value, help) CHECK_##kind(c, key, least, most);
	CONFIG_KEYS(X)
#undef X
}

static void check_error(const struct config_error *error)
{
	size_t len = strnlen(error->text, sizeof error->text);
	assert(len > 0 && len < sizeof error->text);
	assert(memchr(error->text, '\n', len) == NULL);
}

/* ---- where it comes from -------------------------------------------------------------------- */

static bool read_file(struct config *c, const uint8_t *data, size_t size,
                      struct config_error *error)
{
	char path[64];
	int fd = memfd_create("dunlin.conf", MFD_CLOEXEC);
	assert(fd >= 0);
	ssize_t written = write(fd, data, size);
	assert(written == (ssize_t)size);
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	bool read = config_file(c, path, error);
	close(fd);
	return read;
}

/* Lines of key=value; the first half as flags, all of them as the environment. */
static bool read_pairs(struct config *c, char *text, struct config_error *error)
{
	char *environment[PAIRS_MAX + 1];
	unsigned count = 0;
	char *rest = text;
	while (rest != NULL && count < PAIRS_MAX) environment[count++] = strsep(&rest, "\n");
	environment[count] = NULL;
	if (!config_environment(c, environment, error)) return false;
	for (unsigned i = 0; i < count / 2; i++) {
		char *equals = strchr(environment[i], '=');
		if (equals == NULL) continue;
		*equals = '\0';
		if (!config_set(c, CONFIG_FLAG, environment[i], environment[i], equals + 1, error))
			return false;
	}
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct config c;
	struct config_error error = {{0}};
	if (size == 0) return 0;
	char *text = malloc(size);
	assert(text != NULL);
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	config_init(&c);
	bool read =
		data[0] % 2 == 0 ? read_pairs(&c, text, &error) : read_file(&c, data + 1, size - 1, &error);
	check_all(&c);
	if (!read || !config_check(&c, &error)) check_error(&error);
	check_all(&c);
	config_free(&c);
	free(text);
	return 0;
}
