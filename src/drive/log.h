/* log.h - what the process says to people: logfmt lines on stderr, one write(2) a line.
 *
 *   ts=2026-03-01T12:00:00.123Z level=info msg="listening" http=127.0.0.1:8098
 *
 * A field's value is quoted when it holds anything but plain visible characters. Nothing that is a
 * secret may be handed to it: no keys, no contexts, no values of clients. */
#ifndef DUNLIN_DRIVE_LOG_H
#define DUNLIN_DRIVE_LOG_H

#include "dunlin/types.h"

#define LOG_LEVEL_TABLE(X) X(ERROR, "error") X(WARN, "warn") X(INFO, "info") X(DEBUG, "debug")

enum log_level {
#define X(name, text) LOG_LEVEL_##name,
	LOG_LEVEL_TABLE(X)
#undef X
		LOG_LEVEL_COUNT
};

struct log {
	int fd;
	enum log_level level; /* lines above it are dropped */
};

/* One key and its value; made by LOG_S and LOG_U. */
struct log_field {
	const char *key;
	const char *text; /* NULL: `number` */
	uint64_t number;
};
#define LOG_S(key, text) ((struct log_field){(key), (text), 0})
#define LOG_U(key, number) ((struct log_field){(key), NULL, (uint64_t)(number)})

/* One line. `fields` may be NULL when `count` is 0. A line longer than LOG_LINE_BYTES_MAX is cut. */
void log_write(const struct log *log, enum log_level level, const char *msg,
               const struct log_field *fields, size_t count);
/* The same, with the fields listed: log_say(log, LOG_LEVEL_INFO, "listening", LOG_S("http", a)); */
#define log_say(log, level, msg, ...)                                                              \
	log_write(log, level, msg, (const struct log_field[]){__VA_ARGS__},                            \
	          sizeof((const struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field))
#define log_text(log, level, msg) log_write(log, level, msg, NULL, 0)

/* A line whose fields were put together elsewhere: key=value key=value, no newline. */
void log_fields(const struct log *log, enum log_level level, const char *fields);

/* "error", "warn", "info", "debug"; false for anything else. */
bool log_level_parse(const char *text, enum log_level *out);
const char *log_level_name(enum log_level level);

/* Write the text of one line, without the time, into `to`; what tests look at. Returns its length. */
size_t log_format(char *to, size_t capacity, enum log_level level, const char *msg,
                  const struct log_field *fields, size_t count);

#endif
