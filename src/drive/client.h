/* client.h - one connection of an HTTP client. Private to clients.c, client.c and answer.c.
 *
 *   IDLE --bytes--> HEAD --head whole--> BODY --body whole--> BUSY --answer--> IDLE
 *                     \_____bad, late____/  \____answered here____________/
 *                      `--> LINGER (answered; reads and drops until the client is done) --> closed
 *
 * One request of a connection is in flight at a time, so that answers are in order; bytes of the
 * next ones are read ahead, up to CLIENT_AHEAD_BYTES. A connection is freed only by client_turn and
 * clients_close, never below a call of the core. */
#ifndef DUNLIN_DRIVE_CLIENT_H
#define DUNLIN_DRIVE_CLIENT_H

#include "drive/buffer.h"
#include "drive/clients.h"
#include "drive/libevent.h"
#include "drive/stats.h"
#include "wire/http_object.h"
#include "wire/http_out.h"

enum client_state { CLIENT_IDLE, CLIENT_HEAD, CLIENT_BODY, CLIENT_BUSY, CLIENT_LINGER };

struct client {
	struct clients *all;
	int fd;
	uint32_t place;
	uint64_t serial; /* of the request in flight */
	enum client_state state;
	bool eof;              /* the client sends no more */
	bool broken;           /* the connection is of no use: free it */
	bool closing;          /* close when all is written */
	bool unread;           /* and bytes of the client will not have been read: linger */
	bool dirty;            /* in the list of those that clients_turn looks at */
	bool reading, writing; /* which of the two events is added */
	struct libevent_event *read_event, *write_event;
	struct client *next_dirty;
	struct buffer in, out;

	/* of the request that is being read */
	size_t seen;        /* bytes of its head that were parsed without an end */
	size_t head_bytes;  /* in BODY */
	size_t body_bytes;  /* in BODY: decoded so far */
	size_t body_wanted; /* in BODY, not chunked: the length of all of it */
	bool chunked;
	struct http_chunks chunks;
	struct instant since; /* the last byte in IDLE, the first of the request in HEAD and BODY, when
						   * it was handed over in BUSY */
	struct instant moved; /* the last byte out, or when `out` ceased to be empty */

	/* of the request in flight */
	struct http_object_want *want; /* objects; NULL: a compare */
	size_t want_capacity;
	uint8_t method;
	bool keep_alive, http_1_0, head;
	struct client_list *list; /* a listing under way (answer_list.c), else NULL */
};

/* Everything that connections share. */
struct clients {
	struct loop *loop;
	struct evconnlistener *listener;
	struct libevent_event *sweep;
	struct client **table; /* [capacity] */
	uint32_t *free_places;
	uint32_t capacity, count, free_count;
	uint64_t next_serial;
	struct client *dirty;
	bool draining;
	bool closing;     /* the core is asked for nothing any more */
	uint64_t unix_ms; /* for Date */
	struct instant unix_ms_at;
	struct stats *stats;
	struct http_scratch scratch;
	struct http_request request; /* the one that is looked at */
};

struct client *client_open(struct clients *all, int fd, uint32_t place);
void client_free(struct client *c);
/* Put it on the list that the end of the turn looks at. */
void client_mark(struct client *c);
/* We stop: read what is there, and have clients_turn look at it. */
void client_look_last(struct client *c);
/* Its part of clients_turn; it may be freed. It is marked, and in no list. */
void client_turn(struct client *c);
/* Its part of the sweep: is it time to give up on it? */
void client_sweep(struct client *c, struct instant now);
/* It is freed at the end of the turn, whatever it waits for. */
void client_give_up(struct client *c);
/* The answer to the request was appended to `out`; without keep_alive the connection closes. */
void client_answered(struct client *c, int status);
/* How the core names the request in flight. */
struct client_ref client_name(struct client *c);
/* A writer into `out` with room for `bytes`; false: no memory, the connection is broken. */
bool client_out(struct client *c, size_t bytes, struct http_out *out);
uint64_t client_unix_ms(struct clients *all);

/* answer.c: the request in all->request is whole, with `body`; answer it, or hand it to the core. */
void answer_request(struct client *c, struct bytes body);
/* The same before the body has come. False: it was refused, and answered; the connection closes. */
bool answer_admit(struct client *c);
/* Answer that something is wrong with the bytes; the connection closes. */
void answer_bad(struct client *c, int status, const char *reason);
/* Answer why the request in all->request is refused. */
void answer_failure(struct client *c, const struct http_failure *why);
void answer_object(struct client *c, const struct reply *reply);
void answer_compare(struct client *c, const struct compare_result *result);
/* A short answer of our own, its buffer freed; one line of text; something the node is not ready for. */
void answer_buffer(struct client *c, int status, const char *content_type, struct buffer *b);
void answer_line(struct client *c, int status, const char *text);
void answer_not_ready(struct client *c);
void answer_text(struct client *c, int status, const char *content_type, const char *headers,
                 struct bytes body);

/* answer_props.c: bucket properties, of a bucket or a type. */
void answer_props(struct client *c, const struct http_target *t, struct bytes body);
void answer_props_changed(struct client *c, const struct props_result *result);
/* `{"props":{...}}` of a bucket without the braces around it. ERR_NO_TYPE. */
enum err answer_props_text(struct client *c, struct bytes type, struct bytes bucket,
                           struct buffer *to);
void answer_no_type(struct client *c, struct bytes type);

/* answer_list.c: keys and buckets. */
void answer_list(struct client *c, const struct http_target *t);
void answer_list_page(struct client *c, const struct list_page *page);
/* Ask for the next page if there is room for it. */
void answer_list_go_on(struct client *c);
/* Would it now? */
bool answer_list_waits(const struct client *c);
/* The connection goes: nobody wants more. */
void answer_list_drop(struct client *c);

/* answer_root.c, answer_stats.c: what is here. */
void answer_root(struct client *c);
void answer_preflist(struct client *c, const struct http_target *t);
void answer_stats(struct client *c);

#endif
