/* log.c - logfmt lines on stderr.
 *
 * A line is put together in one buffer on the stack and written with one write(2), so that lines of
 * several threads do not mix and nothing is lost when the process crashes after it.
 * Not here: what is worth a line (server.c), and counters (metrics.c). */
#include "drive/log.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/panic.h"

/* A line that is being put together. Past the end it is cut; one byte stays for the newline. */
struct line {
	char *to;
	size_t len, capacity;
};

static void line_char(struct line *l, char c)
{
	if (l->len < l->capacity) l->to[l->len++] = c;
}

static void line_plain(struct line *l, const char *text)
{
	while (*text != '\0') line_char(l, *text++);
}

/* May this value stand without quotes? */
static bool is_plain(const char *text)
{
	if (*text == '\0') return false;
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;
		if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c >= 0x7f) return false;
	}
	return true;
}

/* One character inside quotes: what would break the line or the terminal is written as an escape. */
static void line_escaped(struct line *l, unsigned char c)
{
	char hex[5];
	if (c == '"' || c == '\\') {
		line_char(l, '\\');
		line_char(l, (char)c);
	} else if (c == '\n') {
		line_plain(l, "\\n");
	} else if (c < ' ' || c == 0x7f) {
		snprintf(hex, sizeof hex, "\\x%02x", c);
		line_plain(l, hex);
	} else {
		line_char(l, (char)c);
	}
}

static void line_value(struct line *l, const char *text)
{
	assert(text != NULL);
	if (is_plain(text)) {
		line_plain(l, text);
		return;
	}
	line_char(l, '"');
	for (; *text != '\0'; text++) line_escaped(l, (unsigned char)*text);
	line_char(l, '"');
}

static void line_field(struct line *l, const struct log_field *f)
{
	char number[24];
	line_char(l, ' ');
	line_plain(l, f->key);
	line_char(l, '=');
	if (f->text != NULL) {
		line_value(l, f->text);
	} else {
		snprintf(number, sizeof number, "%llu", (unsigned long long)f->number);
		line_plain(l, number);
	}
}

const char *log_level_name(enum log_level level)
{
	static const char *const names[] = {
#define X(name, text) [LOG_LEVEL_##name] = (text),
		LOG_LEVEL_TABLE(X)
#undef X
	};
	assert(level < LOG_LEVEL_COUNT);
	return names[level];
}

bool log_level_parse(const char *text, enum log_level *out)
{
	for (unsigned i = 0; i < LOG_LEVEL_COUNT; i++) {
		if (strcmp(text, log_level_name((enum log_level)i)) != 0) continue;
		*out = (enum log_level)i;
		return true;
	}
	return false;
}

static void line_fields(struct line *l, enum log_level level, const char *msg,
                        const struct log_field *fields, size_t count)
{
	line_plain(l, "level=");
	line_plain(l, log_level_name(level));
	line_plain(l, " msg=\"");
	for (; *msg != '\0'; msg++) line_escaped(l, (unsigned char)*msg);
	line_char(l, '"');
	for (size_t i = 0; i < count; i++) line_field(l, &fields[i]);
}

size_t log_format(char *to, size_t capacity, enum log_level level, const char *msg,
                  const struct log_field *fields, size_t count)
{
	struct line l = {to, 0, capacity - 1};
	assert(capacity > 0);
	line_fields(&l, level, msg, fields, count);
	to[l.len] = '\0';
	return l.len;
}

static void line_time(struct line *l)
{
	struct timespec now;
	struct tm tm;
	char text[48];
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	size_t len = strftime(text, sizeof text, "ts=%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text + len, sizeof text - len, ".%03uZ ", (unsigned)(now.tv_nsec / 1000000) % 1000);
	line_plain(l, text);
}

/* A log that cannot be written must not stop the service; there is nobody to tell. */
static void line_out(const struct log *log, struct line *l)
{
	l->to[l->len++] = '\n';
	ssize_t written = write(log->fd, l->to, l->len);
	(void)written;
}

void log_fields(const struct log *log, enum log_level level, const char *fields)
{
	char text[LOG_LINE_BYTES_MAX];
	struct line l = {text, 0, sizeof text - 1};
	if (level > log->level) return;
	line_time(&l);
	line_plain(&l, "level=");
	line_plain(&l, log_level_name(level));
	line_char(&l, ' ');
	for (; *fields != '\0'; fields++) line_char(&l, *fields == '\n' ? ' ' : *fields);
	line_out(log, &l);
}

void log_write(const struct log *log, enum log_level level, const char *msg,
               const struct log_field *fields, size_t count)
{
	char text[LOG_LINE_BYTES_MAX];
	struct line l = {text, 0, sizeof text - 1};
	if (level > log->level) return;
	line_time(&l);
	line_fields(&l, level, msg, fields, count);
	line_out(log, &l);
}
