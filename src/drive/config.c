/* config.c - reading the configuration.
 *
 *   defaults -> file -> environment -> flags -> config_check -> frozen
 *
 * Always true: a struct config holds only values that their rows allow (config_set refuses the rest
 * and leaves the old value; of a list, the items before the bad one), and every refusal names the place
 * and what was expected.
 * Not here: what the values mean (server.c), flags of commands other than `start` (cmd.c). */
#include "drive/config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/panic.h"

enum kind {
	KIND_TEXT,
	KIND_ADDRESS,
	KIND_HOSTPORT,
	KIND_LIST,
	KIND_TYPES,
	KIND_NUMBER,
	KIND_BYTES,
	KIND_YESNO,
	KIND_LEVEL,
	KIND_COUNT
};

struct row {
	const char *name, *value, *help;
	enum kind kind;
	uint64_t least, most;
	size_t offset;
};

static const struct row rows[] = {
#define X(key, kind, least, most, value, help)                                                     \
	{#key, value, help, KIND_##kind, least, most, offsetof(struct config, key)},
	CONFIG_KEYS(X)
#undef X
};
#define ROW_COUNT ((unsigned)(sizeof rows / sizeof rows[0]))

static const char *const kind_texts[KIND_COUNT] = {
	[KIND_TEXT] = "text",
	[KIND_ADDRESS] = "address:port, as 127.0.0.1:8098 or [::1]:8098",
	[KIND_HOSTPORT] = "host:port",
	[KIND_LIST] = "host:port, host:port, ...",
	[KIND_TYPES] = "NAME property=value ..., as `carts n_val=3 allow_mult=true`",
	[KIND_NUMBER] = "a whole number",
	[KIND_BYTES] = "a number of bytes, as 4096, 64k, 8m or 1g",
	[KIND_YESNO] = "yes or no",
	[KIND_LEVEL] = "error, warn, info or debug",
};

unsigned config_key_count(void)
{
	return ROW_COUNT;
}

struct config_key config_key_at(unsigned index)
{
	assert(index < ROW_COUNT);
	const struct row *r = &rows[index];
	return (struct config_key){r->name, kind_texts[r->kind], r->value, r->help, r->least, r->most};
}

/* `key-file` and `key_file` are one name. */
static bool same_name(const char *a, const char *b)
{
	for (; *a != '\0' && *b != '\0'; a++, b++) {
		char x = *a == '-' ? '_' : *a, y = *b == '-' ? '_' : *b;
		if (x != y) return false;
	}
	return *a == *b;
}

int config_key_find(const char *name)
{
	for (unsigned i = 0; i < ROW_COUNT; i++)
		if (same_name(name, rows[i].name)) return (int)i;
	return -1;
}

/* ---- one value ---------------------------------------------------------------------------- */

static bool parse_port(const char *text, uint16_t *port)
{
	unsigned value = 0;
	size_t len = strlen(text);
	if (len == 0 || len > 5) return false;
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9') return false;
		value = value * 10 + (unsigned)(*text - '0');
	}
	*port = (uint16_t)value;
	return value >= 1 && value <= 65535;
}

bool config_split_address(const char *address, char *host, size_t capacity, uint16_t *port)
{
	const char *colon = strrchr(address, ':');
	if (colon == NULL || colon == address || !parse_port(colon + 1, port)) return false;
	size_t len = (size_t)(colon - address);
	bool bracketed = address[0] == '[' && colon[-1] == ']' && len > 2;
	if (bracketed) {
		address++;
		len -= 2;
	}
	if (len >= capacity || strcspn(address, " \t,/") < len) return false;
	/* A bare IPv6 address would be ambiguous. */
	if (!bracketed && memchr(address, ':', len) != NULL) return false;
	memcpy(host, address, len);
	host[len] = '\0';
	return true;
}

static bool is_hostport(const char *text)
{
	char host[MEMBER_ADDRESS_BYTES_MAX + 1];
	uint16_t port;
	return strlen(text) <= MEMBER_ADDRESS_BYTES_MAX &&
	       config_split_address(text, host, sizeof host, &port);
}

/* A listening address is numeric: which interface is meant must not depend on a name server. */
static bool is_address(const char *text)
{
	char host[MEMBER_ADDRESS_BYTES_MAX + 1];
	struct in6_addr any;
	uint16_t port;
	if (!is_hostport(text) || !config_split_address(text, host, sizeof host, &port)) return false;
	return strcmp(host, "localhost") == 0 || inet_pton(AF_INET, host, &any) == 1 ||
	       inet_pton(AF_INET6, host, &any) == 1;
}

bool config_is_loopback(const char *address)
{
	char host[CONFIG_TEXT_BYTES_MAX];
	struct in_addr v4;
	struct in6_addr v6;
	uint16_t port;
	if (!config_split_address(address, host, sizeof host, &port)) return false;
	if (strcmp(host, "localhost") == 0) return true;
	if (inet_pton(AF_INET, host, &v4) == 1) return ntohl(v4.s_addr) >> 24 == 127;
	return inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

/* Decimal digits with, for BYTES, one suffix. */
static bool parse_number(const char *text, bool suffixed, uint64_t *out)
{
	char *end;
	if (*text < '0' || *text > '9' || strlen(text) > 19) return false;
	errno = 0;
	uint64_t value = strtoull(text, &end, 10);
	unsigned shift = 0;
	if (suffixed && *end != '\0') {
		static const char units[] = "kmg";
		const char *unit = strchr(units, *end | 0x20);
		if (unit == NULL || end[1] != '\0') return false;
		shift = 10 * (unsigned)(unit - units + 1);
		end++;
	}
	if (errno != 0 || *end != '\0' || value > UINT64_MAX >> shift) return false;
	*out = value << shift;
	return true;
}

static bool parse_yesno(const char *text, bool *out)
{
	static const char *const words[][2] = {
		{"no", "yes"}, {"off", "on"}, {"false", "true"}, {"0", "1"}};
	for (unsigned i = 0; i < sizeof words / sizeof words[0]; i++) {
		for (unsigned value = 0; value < 2; value++) {
			if (strcasecmp(text, words[i][value]) != 0) continue;
			*out = value == 1;
			return true;
		}
	}
	return false;
}

/* Take one address of a list; false when it is none or the list is full. */
static bool list_add(struct config_list *list, const char *text, size_t len)
{
	char item[MEMBER_ADDRESS_BYTES_MAX + 1];
	if (len >= sizeof item || list->count == JOIN_ADDRESSES_MAX) return false;
	memcpy(item, text, len);
	item[len] = '\0';
	if (!is_hostport(item)) return false;
	if (list->items == NULL) list->items = calloc(JOIN_ADDRESSES_MAX, sizeof item);
	if (list->items == NULL) return false;
	memcpy(list->items[list->count++], item, sizeof item);
	return true;
}

static bool list_set(struct config_list *list, enum config_source source, const char *text)
{
	if (list->source < (uint32_t)source) list->count = 0;
	list->source = (uint32_t)source;
	while (*text != '\0') {
		size_t len = strcspn(text, ", \t");
		if (len > 0 && !list_add(list, text, len)) return false;
		text += len;
		text += strspn(text, ", \t");
	}
	return true;
}

static bool text_set(char *to, const struct row *row, const char *value)
{
	size_t len = strlen(value);
	bool fits = len < CONFIG_TEXT_BYTES_MAX;
	if (row->kind == KIND_TEXT) fits = fits && len >= row->least && len <= row->most;
	if (row->kind == KIND_ADDRESS) fits = fits && is_address(value);
	if (row->kind == KIND_HOSTPORT) fits = fits && (len == 0 || is_hostport(value));
	if (fits) memcpy(to, value, len + 1);
	return fits;
}

static bool number_set(uint64_t *to, const struct row *row, const char *value)
{
	uint64_t number;
	if (!parse_number(value, row->kind == KIND_BYTES, &number)) return false;
	if (number < row->least || number > row->most) return false;
	*to = number;
	return true;
}

static bool row_set(struct config *c, const struct row *row, enum config_source source,
                    const char *value)
{
	void *field = (char *)c + row->offset;
	switch (row->kind) {
	case KIND_TEXT:
	case KIND_ADDRESS:
	case KIND_HOSTPORT: return text_set(field, row, value);
	case KIND_LIST: return list_set(field, source, value);
	case KIND_TYPES: return config_types_set(field, source, value);
	case KIND_NUMBER:
	case KIND_BYTES: return number_set(field, row, value);
	case KIND_YESNO: return parse_yesno(value, field);
	case KIND_LEVEL: return log_level_parse(value, field);
	case KIND_COUNT: break;
	}
	unreachable();
}

/* ---- refusals ------------------------------------------------------------------------------ */

/* Levenshtein's distance, at most `limit` + 1, for words shorter than 64. */
static unsigned distance(const char *a, const char *b)
{
	unsigned row[64];
	size_t la = strlen(a), lb = strlen(b);
	if (la >= 63 || lb >= 63) return 64;
	for (unsigned j = 0; j <= lb; j++) row[j] = j;
	for (unsigned i = 1; i <= la; i++) {
		unsigned diagonal = row[0];
		row[0] = i;
		for (unsigned j = 1; j <= lb; j++) {
			unsigned change = diagonal + (a[i - 1] != b[j - 1]);
			diagonal = row[j];
			if (row[j] + 1 < change) change = row[j] + 1;
			if (row[j - 1] + 1 < change) change = row[j - 1] + 1;
			row[j] = change;
		}
	}
	return row[lb];
}

/* A third of the word wrong is a typing error; more is another word. */
bool config_is_near(const char *typed, const char *name)
{
	return distance(typed, name) <= 1 + strlen(typed) / 3;
}

const char *config_nearest(const char *typed, const char *(*next)(unsigned i))
{
	const char *best = NULL;
	unsigned least = 64;
	for (unsigned i = 0; next(i) != NULL; i++) {
		unsigned d = distance(typed, next(i));
		if (d >= least) continue;
		least = d;
		best = next(i);
	}
	return best != NULL && config_is_near(typed, best) ? best : NULL;
}

static const char *key_name(unsigned i)
{
	return i < ROW_COUNT ? rows[i].name : NULL;
}

const char *config_nearest_key(const char *typed)
{
	return config_nearest(typed, key_name);
}

void config_refuse_key(const char *where, const char *key, struct config_error *error)
{
	const char *near = config_nearest_key(key);
	if (near != NULL)
		snprintf(error->text, sizeof error->text, "%s: unknown key `%.64s`; did you mean `%s`?",
		         where, key, near);
	else
		snprintf(error->text, sizeof error->text,
		         "%s: unknown key `%.64s`; `dunlin help start` lists the keys", where, key);
}

static bool refuse_value(const char *where, const struct row *row, const char *value,
                         struct config_error *error)
{
	int len = snprintf(error->text, sizeof error->text, "%s: %s = `%.200s`: expected %s", where,
	                   row->name, value, kind_texts[row->kind]);
	if (row->kind == KIND_NUMBER || row->kind == KIND_BYTES)
		snprintf(error->text + len, sizeof error->text - (size_t)len, " from %llu to %llu",
		         (unsigned long long)row->least, (unsigned long long)row->most);
	if (row->kind == KIND_TEXT)
		snprintf(error->text + len, sizeof error->text - (size_t)len, " of %llu to %llu bytes",
		         (unsigned long long)row->least, (unsigned long long)row->most);
	return false;
}

bool config_set(struct config *c, enum config_source source, const char *where, const char *key,
                const char *value, struct config_error *error)
{
	int index = config_key_find(key);
	if (index < 0) {
		config_refuse_key(where, key, error);
		return false;
	}
	if (row_set(c, &rows[index], source, value)) return true;
	return refuse_value(where, &rows[index], value, error);
}

void config_init(struct config *c)
{
	struct config_error error;
	memset(c, 0, sizeof *c);
	for (unsigned i = 0; i < ROW_COUNT; i++) {
		bool set = config_set(c, CONFIG_DEFAULT, "default", rows[i].name, rows[i].value, &error);
		assert(set);
	}
}

void config_free(struct config *c)
{
	free(c->join.items);
	c->join.items = NULL;
	config_types_free(&c->bucket_type);
}

/* ---- the file ------------------------------------------------------------------------------ */

/* One reading of one file. inih asks for lines and hands back pairs; the line number is ours. */
struct reading {
	struct config *config;
	struct config_error *error;
	const char *path;
	FILE *file;
	unsigned line;
	bool failed;
};

static void reading_where(const struct reading *r, char *to, size_t capacity)
{
	snprintf(to, capacity, "%.256s:%u", r->path, r->line);
}

static char *refuse_line(struct reading *r, const char *what)
{
	snprintf(r->error->text, sizeof r->error->text, "%.256s:%u: %s", r->path, r->line, what);
	r->failed = true;
	return NULL;
}

/* fgets for inih, which would take the rest of an overlong line for a line of its own, and an
 * indented line for more of the value above. Both are refused. */
static char *read_line(char *to, int capacity, void *stream)
{
	struct reading *r = stream;
	if (r->failed || fgets(to, capacity, r->file) == NULL) return NULL;
	size_t len = strlen(to);
	r->line++;
	if (len + 1 == (size_t)capacity && to[len - 1] != '\n') {
		char what[160];
		snprintf(what, sizeof what,
		         "a line of more than %d bytes; expected a shorter one (`join` may be repeated)",
		         capacity - 2);
		return refuse_line(r, what);
	}
	if ((to[0] == ' ' || to[0] == '\t') && to[strspn(to, " \t\r\n")] != '\0')
		return refuse_line(r, "an indented line; expected `key = value` at its start");
	return to;
}

static int take_pair(void *user, const char *section, const char *name, const char *value)
{
	struct reading *r = user;
	char where[300];
	if (r->failed) return 0;
	reading_where(r, where, sizeof where);
	if (section[0] != '\0' && strcmp(section, "dunlin") != 0) {
		snprintf(r->error->text, sizeof r->error->text,
		         "%s: section [%.64s]: expected no section, or [dunlin]", where, section);
		r->failed = true;
	} else if (!config_set(r->config, CONFIG_FILE, where, name, value, r->error)) {
		r->failed = true;
	}
	return r->failed ? 0 : 1;
}

bool config_file(struct config *c, const char *path, struct config_error *error)
{
	struct reading r = {.config = c, .error = error, .path = path, .file = fopen(path, "re")};
	if (r.file == NULL) {
		snprintf(error->text, sizeof error->text, "%.256s: cannot be read: %s", path,
		         strerror(errno));
		return false;
	}
	int bad_line = ini_parse_stream(read_line, &r, take_pair, &r);
	fclose(r.file);
	if (bad_line != 0 && !r.failed) {
		snprintf(error->text, sizeof error->text,
		         "%.256s:%d: expected `key = value`, a comment (#) "
		         "or an empty line",
		         path, bad_line);
		r.failed = true;
	}
	return !r.failed;
}

/* ---- the environment ------------------------------------------------------------------------ */

void config_environment_name(char *to, size_t capacity, const char *key)
{
	size_t len = (size_t)snprintf(to, capacity, "DUNLIN_%s", key);
	assert(len < capacity);
	for (char *c = to; *c != '\0'; c++)
		if (*c >= 'a' && *c <= 'z') *c = (char)(*c - 32);
}

bool config_environment(struct config *c, char *const *environment, struct config_error *error)
{
	char name[64];
	for (unsigned i = 0; i < ROW_COUNT; i++) {
		config_environment_name(name, sizeof name, rows[i].name);
		size_t len = strlen(name);
		for (char *const *e = environment; *e != NULL; e++) {
			if (strncmp(*e, name, len) != 0 || (*e)[len] != '=') continue;
			if (!config_set(c, CONFIG_ENVIRONMENT, name, rows[i].name, *e + len + 1, error))
				return false;
		}
	}
	return true;
}

/* ---- the whole ------------------------------------------------------------------------------ */

static bool refuse(struct config_error *error, const char *text)
{
	snprintf(error->text, sizeof error->text, "%s", text);
	return false;
}

static bool is_power_of_two(uint64_t v)
{
	return v != 0 && (v & (v - 1)) == 0;
}

static void derive(struct config *c)
{
	if (c->name[0] == '\0') {
		char host[256] = "";
		gethostname(host, sizeof host - 1);
		snprintf(c->name, sizeof c->name, "%.*s", MEMBER_NAME_BYTES_MAX, host[0] ? host : "dunlin");
	}
	if (c->advertise[0] == '\0') memcpy(c->advertise, c->peer, sizeof c->advertise);
	uint64_t nodes = c->join.count == 0 ? 1 : c->expect;
	if (c->join.count == 0) c->expect = 1;
	if (c->replicas == 0) c->replicas = nodes < REPLICAS_DEFAULT ? nodes : REPLICAS_DEFAULT;
}

/* Addresses in the join list, our own among them or not. */
static uint64_t list_size(const struct config *c)
{
	const char *own = c->advertise[0] != '\0' ? c->advertise : c->peer;
	for (uint32_t i = 0; i < c->join.count; i++)
		if (strcmp(c->join.items[i], own) == 0) return c->join.count;
	return c->join.count + 1;
}

static bool check_cluster(const struct config *c, struct config_error *error)
{
	if (c->join.count == 0 && c->expect > 1)
		return refuse(error, "expect is set without join; say where the others are: "
		                     "join = host:port, host:port, ...");
	if (c->join.count > 0 && c->expect == 0)
		return refuse(error, "join is set without expect; say how many nodes form the cluster: "
		                     "expect = 3");
	if (c->join.count > 0 && c->key_file[0] == '\0')
		return refuse(error, "join is set without key_file; every node of a cluster needs the same "
		                     "key: head -c32 /dev/urandom | od -An -vtx1 | tr -d ' \\n' > "
		                     "cluster.key, and key_file = cluster.key");
	if (c->join.count > 0 && c->expect > c->join.count + 1)
		return refuse(error, "expect is more than the addresses in join and this node");
	if (c->join.count > 0 && 2 * c->expect <= list_size(c))
		return refuse(error, "expect must be more than half of the nodes in join (this one "
		                     "included), or two clusters could form out of one list");
	if (c->join.count > 0 && c->replicas > c->expect)
		return refuse(error, "replicas is more than expect: a key has at most one copy on a node");
	return true;
}

static bool is_any(const char *address)
{
	return strncmp(address, "0.0.0.0:", 8) == 0 || strncmp(address, "[::]:", 5) == 0;
}

bool config_check(struct config *c, struct config_error *error)
{
	if (!check_cluster(c, error)) return false;
	if (c->join.count == 0 && c->replicas > 1)
		return refuse(error, "replicas is more than 1 in a cluster of one (join is empty)");
	if (!is_power_of_two(c->partitions))
		return refuse(error, "partitions must be a power of two, as 64 or 256");
	if (!is_power_of_two(c->pool_bytes))
		return refuse(error, "pool_bytes must be a power of two, as 256m or 1g");
	if (c->join.count > 0 && c->advertise[0] == '\0' && is_any(c->peer))
		return refuse(error, "peer listens on every address; say how the others reach it: "
		                     "advertise = host:port");
	if (!config_is_loopback(c->http) && !c->insecure)
		return refuse(error, "http is not a loopback address, and clients are not authenticated: "
		                     "whoever reaches the port could read and change everything. To serve "
		                     "it all the same (behind a firewall), say insecure = yes");
	derive(c);
	return true;
}
