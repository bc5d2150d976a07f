/* storer.c - see storer.h.
 *
 * A job lives from storer_do to its callback, and belongs to one list at a time:
 *
 *   new -> writes | reads -> (a thread) -> finished -> ready -> callback -> freed
 *    \______ answered or refused at once ____________/
 *
 * Always true: `ready`, `outstanding` and the counts of reads and scans belong to the loop's thread; the
 * queues, `finished` and the other figures to whoever holds the lock. A wakeup is written when `finished`
 * turns from empty to not empty, so any number of completions costs one. Nothing here looks into a
 * value. */
#include "drive/storer.h"

#include <event2/event.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/panic.h"

#define READERS_MAX 64

/* What a scan found: records behind each other in one buffer. Their views are made at the end, when
 * the buffer no longer moves. */
struct page {
	struct store_record *records; /* until the end, data points nowhere and only len counts */
	uint32_t count, room;
	uint8_t *bytes;
	size_t len, bytes_room;
	size_t bytes_max;
	uint32_t records_max;
};

struct job {
	struct job *next;
	struct effect fx;
	enum err err;
	struct bytes value; /* of a read, held by `handle` */
	void *handle;
	struct page page;
	bool done; /* of a scan */
};

struct queue {
	struct job *first, **tail;
	uint32_t count;
};

struct storer {
	struct store *store;
	struct storer_config config;
	int wake_fd;
	struct event *woken, *turn; /* libevent's; opaque here */
	struct queue ready;
	uint64_t outstanding;
	bool fatal_told, delivering;

	pthread_mutex_t lock;
	pthread_cond_t write_asked, read_asked;
	struct queue writes, reads, finished;
	bool stopping;
	struct storer_stats stats;

	struct store_batch *group; /* of the commit thread; STORE_QUEUE_MAX */
	pthread_t committer, readers[READERS_MAX];
	uint32_t reader_count;
	bool committing;
};

/* ---- small things -------------------------------------------------------------------------- */

static void *take(size_t len)
{
	void *p = malloc(len);
	if (p == NULL) dunlin_panic(__FILE__, __LINE__, "out of memory");
	return p;
}

static void lock(struct storer *s)
{
	int failed = pthread_mutex_lock(&s->lock);
	assert(!failed);
}

static void unlock(struct storer *s)
{
	int failed = pthread_mutex_unlock(&s->lock);
	assert(!failed);
}

static void queue_init(struct queue *q)
{
	*q = (struct queue){NULL, &q->first, 0};
}

static void queue_add(struct queue *q, struct job *j)
{
	j->next = NULL;
	*q->tail = j;
	q->tail = &j->next;
	q->count++;
}

static struct job *queue_take(struct queue *q)
{
	struct job *j = q->first;
	if (j == NULL) return NULL;
	q->first = j->next;
	if (q->first == NULL) q->tail = &q->first;
	q->count--;
	return j;
}

/* All of `from` to the end of `to`. */
static void queue_move(struct queue *to, struct queue *from)
{
	if (from->first == NULL) return;
	*to->tail = from->first;
	to->tail = from->tail;
	to->count += from->count;
	queue_init(from);
}

static uint64_t now_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000U + (uint64_t)t.tv_nsec / 1000U;
}

static void job_free(struct job *j)
{
	store_release(j->handle);
	free(j->page.records);
	free(j->page.bytes);
	free(j);
}

/* ---- completions, on the loop's thread ----------------------------------------------------- */

static void completion_of(const struct job *j, struct event *ev)
{
	*ev = (struct event){0};
	switch (j->fx.type) {
	case FX_STORE_READ:
		ev->type = EV_STORE_READ;
		ev->read.ticket = j->fx.ticket;
		ev->read.err = j->err;
		ev->read.value = j->value;
		break;
	case FX_STORE_WRITE:
		ev->type = EV_STORE_WRITTEN;
		ev->written.ticket = j->fx.ticket;
		ev->written.err = j->err;
		break;
	case FX_STORE_SCAN:
		ev->type = EV_STORE_SCANNED;
		ev->scanned.ticket = j->fx.ticket;
		ev->scanned.err = j->err;
		ev->scanned.done = j->done;
		ev->scanned.count = j->page.count;
		ev->scanned.records = j->page.records;
		break;
	default: unreachable();
	}
}

static void hand_over(struct storer *s, struct job *j)
{
	struct event ev;
	assert(s->outstanding > 0);
	if (j->fx.type == FX_STORE_WRITE && j->err == ERR_STORE && !s->fatal_told) {
		s->fatal_told = true;
		s->config.fatal(s->config.context);
	}
	completion_of(j, &ev);
	s->config.done(s->config.context, &ev);
	s->outstanding--;
	job_free(j);
}

/* What is ready is handed over in the next turn of the loop, if not before. */
static void next_turn(struct storer *s)
{
	static const struct timeval at_once = {0, 0};
	bool wanted = s->ready.first != NULL, armed = evtimer_pending(s->turn, NULL) != 0;
	if (wanted && !armed) evtimer_add(s->turn, &at_once);
	if (!wanted && armed) evtimer_del(s->turn);
}

void storer_deliver(struct storer *s)
{
	assert(!s->delivering);
	s->delivering = true;
	lock(s);
	queue_move(&s->ready, &s->finished);
	unlock(s);
	for (uint32_t n = 0; n < STORE_COMPLETIONS_PER_TURN_MAX && s->ready.first != NULL; n++)
		hand_over(s, queue_take(&s->ready));
	s->delivering = false;
	next_turn(s);
}

static void on_wake(evutil_socket_t fd, short what, void *context)
{
	uint64_t count;
	(void)what;
	if (read(fd, &count, sizeof(count)) < 0) return; /* nothing to read: woken for nothing */
	storer_deliver(context);
}

static void on_turn(evutil_socket_t fd, short what, void *context)
{
	(void)fd, (void)what;
	storer_deliver(context);
}

/* Answered without a thread. */
static void answer_now(struct storer *s, struct job *j, enum err e)
{
	j->err = e;
	queue_add(&s->ready, j);
	if (!s->delivering) next_turn(s);
}

/* ---- completions, from a thread ------------------------------------------------------------ */

/* With the lock held: hand `done` to the loop. */
static void finish(struct storer *s, struct queue *done)
{
	bool wake = s->finished.first == NULL && done->first != NULL;
	uint64_t one = 1;
	queue_move(&s->finished, done);
	if (!wake) return;
	ssize_t written = write(s->wake_fd, &one, sizeof(one));
	assert(written == (ssize_t)sizeof(one)); /* its counter cannot overflow */
}

/* ---- the commit thread --------------------------------------------------------------------- */

static size_t job_bytes(const struct job *j)
{
	size_t bytes = 0;
	for (uint32_t i = 0; i < j->fx.write.count; i++)
		bytes += j->fx.write.ops[i].key.len + j->fx.write.ops[i].value.len;
	return bytes;
}

/* With the lock held: what is queued, as far as it fits into one group, but not less than one. */
static void take_group(struct storer *s, struct queue *group)
{
	size_t bytes = 0;
	queue_init(group);
	while (s->writes.first != NULL) {
		bytes += job_bytes(s->writes.first);
		if (group->count > 0 && bytes > STORE_GROUP_BYTES_MAX) break;
		queue_add(group, queue_take(&s->writes));
	}
	assert(group->count <= STORE_QUEUE_MAX);
}

static enum err commit(struct storer *s, struct queue *group)
{
	uint32_t n = 0;
	for (struct job *j = group->first; j != NULL; j = j->next)
		s->group[n++] = (struct store_batch){j->fx.write.ops, j->fx.write.count};
	enum err e = store_write(s->store, s->group, n);
	for (struct job *j = group->first; j != NULL; j = j->next) j->err = e;
	return e;
}

/* With the lock held. */
static void note_group(struct storer *s, uint32_t count, uint64_t us)
{
	struct storer_stats *t = &s->stats;
	unsigned bucket = 0;
	while (bucket + 1 < STORER_SYNC_BUCKETS && us >= UINT64_C(64) << bucket) bucket++;
	t->sync_buckets[bucket]++;
	t->sync_us_sum += us;
	if (us > t->sync_us_max) t->sync_us_max = us;
	if (count > t->group_max) t->group_max = count;
	t->writes += count;
	t->groups++;
}

static void *run_committer(void *context)
{
	struct storer *s = context;
	lock(s);
	for (;;) {
		while (s->writes.first == NULL && !s->stopping)
			pthread_cond_wait(&s->write_asked, &s->lock);
		if (s->writes.first == NULL) break;
		struct queue group;
		take_group(s, &group);
		unlock(s);
		uint64_t start = now_us();
		commit(s, &group);
		uint64_t us = now_us() - start;
		lock(s);
		note_group(s, group.count, us);
		finish(s, &group);
	}
	unlock(s);
	return NULL;
}

/* ---- the readers --------------------------------------------------------------------------- */

static void page_grow(struct page *p, size_t more)
{
	if (p->count == p->room) {
		p->room = p->room == 0 ? 32 : 2 * p->room;
		p->records = realloc(p->records, p->room * sizeof(p->records[0]));
	}
	if (p->bytes_room - p->len < more) {
		p->bytes_room = 2 * (p->len + more);
		p->bytes = realloc(p->bytes, p->bytes_room);
	}
	if (p->records == NULL || (p->bytes == NULL && more > 0))
		dunlin_panic(__FILE__, __LINE__, "out of memory");
}

static void page_copy(struct page *p, struct bytes b)
{
	if (b.len > 0) memcpy(p->bytes + p->len, b.data, b.len);
	p->len += b.len;
}

static bool page_add(void *context, const struct store_record *record)
{
	struct page *p = context;
	page_grow(p, record->key.len + record->value.len);
	p->records[p->count++] = *record;
	page_copy(p, record->key);
	page_copy(p, record->value);
	return p->count < p->records_max && p->len < p->bytes_max;
}

static void page_finish(struct page *p)
{
	const uint8_t *at = p->bytes;
	for (uint32_t i = 0; i < p->count; i++) {
		struct store_record *r = &p->records[i];
		r->key.data = at;
		at += r->key.len;
		r->value.data = at;
		at += r->value.len;
	}
	assert(p->count == 0 || (size_t)(at - p->bytes) == p->len);
}

static void scan(struct storer *s, struct job *j)
{
	const struct effect *fx = &j->fx;
	size_t bytes_max = fx->scan.bytes_max;
	j->page.bytes_max = bytes_max < STORE_SCAN_BYTES_MAX ? bytes_max : STORE_SCAN_BYTES_MAX;
	j->page.records_max = fx->scan.records_max;
	j->err = store_scan(s->store, fx->scan.family, fx->scan.after, fx->scan.until, page_add,
	                    &j->page, &j->done);
	page_finish(&j->page);
}

static void serve(struct storer *s, struct job *j)
{
	if (j->fx.type == FX_STORE_SCAN)
		scan(s, j);
	else
		j->err =
			store_read(s->store, j->fx.read.family, j->fx.read.key, false, &j->value, &j->handle);
}

static void *run_reader(void *context)
{
	struct storer *s = context;
	lock(s);
	for (;;) {
		while (s->reads.first == NULL && !s->stopping) pthread_cond_wait(&s->read_asked, &s->lock);
		struct job *j = queue_take(&s->reads);
		if (j == NULL) break;
		unlock(s);
		serve(s, j);
		struct queue done;
		queue_init(&done);
		queue_add(&done, j);
		lock(s);
		finish(s, &done);
	}
	unlock(s);
	return NULL;
}

/* ---- asking -------------------------------------------------------------------------------- */

/* To a queue for the threads, unless it is full. */
static void ask(struct storer *s, struct queue *q, uint32_t max, pthread_cond_t *asked,
                struct job *j)
{
	lock(s);
	assert(!s->stopping);
	bool room = q->count < max;
	if (room)
		queue_add(q, j);
	else
		s->stats.refused++;
	unlock(s);
	if (room)
		pthread_cond_signal(asked);
	else
		answer_now(s, j, ERR_BUSY);
}

static void ask_read(struct storer *s, struct job *j)
{
	enum err e =
		store_read(s->store, j->fx.read.family, j->fx.read.key, true, &j->value, &j->handle);
	if (e == ERR_BUSY) {
		s->stats.reads_pooled++;
		ask(s, &s->reads, STORE_READS_MAX, &s->read_asked, j);
	} else {
		s->stats.reads_cached++;
		answer_now(s, j, e);
	}
}

static void ask_scan(struct storer *s, struct job *j)
{
	assert(j->fx.scan.records_max > 0);
	s->stats.scans++;
	ask(s, &s->reads, STORE_READS_MAX, &s->read_asked, j);
}

void storer_do(struct storer *s, const struct effect *fx)
{
	struct job *j = take(sizeof(*j));
	*j = (struct job){.fx = *fx};
	s->outstanding++;
	switch (fx->type) {
	case FX_STORE_READ: ask_read(s, j); break;
	case FX_STORE_WRITE: ask(s, &s->writes, STORE_QUEUE_MAX, &s->write_asked, j); break;
	case FX_STORE_SCAN: ask_scan(s, j); break;
	default: unreachable();
	}
}

bool storer_idle(const struct storer *s)
{
	return s->outstanding == 0;
}

void storer_stats(struct storer *s, struct storer_stats *out)
{
	lock(s);
	*out = s->stats;
	out->writes_waiting = s->writes.count;
	out->reads_waiting = s->reads.count;
	unlock(s);
}

void storer_usage(struct storer *s, struct store_usage *out)
{
	store_usage(s->store, out);
}

/* ---- life ---------------------------------------------------------------------------------- */

/* Signals are the loop's business: the threads are made with all of them blocked. */
static bool start_threads(struct storer *s, uint32_t readers)
{
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	s->committing = pthread_create(&s->committer, NULL, run_committer, s) == 0;
	bool ok = s->committing;
	while (ok && s->reader_count < readers) {
		ok = pthread_create(&s->readers[s->reader_count], NULL, run_reader, s) == 0;
		s->reader_count += ok;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return ok;
}

static bool attach(struct storer *s, struct event_base *base)
{
	s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->wake_fd < 0) return false;
	s->woken = event_new(base, s->wake_fd, EV_READ | EV_PERSIST, on_wake, s);
	s->turn = evtimer_new(base, on_turn, s);
	return s->woken != NULL && s->turn != NULL && event_add(s->woken, NULL) == 0;
}

struct storer *storer_new(struct event_base *base, struct store *store,
                          const struct storer_config *config)
{
	assert(config->done != NULL && config->fatal != NULL && config->readers <= READERS_MAX);
	struct storer *s = take(sizeof(*s));
	*s = (struct storer){.store = store, .config = *config, .wake_fd = -1};
	queue_init(&s->ready);
	queue_init(&s->writes);
	queue_init(&s->reads);
	queue_init(&s->finished);
	int failed = pthread_mutex_init(&s->lock, NULL) | pthread_cond_init(&s->write_asked, NULL) |
	             pthread_cond_init(&s->read_asked, NULL);
	assert(!failed);
	s->group = take(STORE_QUEUE_MAX * sizeof(s->group[0]));
	uint32_t readers = config->readers != 0 ? config->readers : STORE_READERS_DEFAULT;
	if (attach(s, base) && start_threads(s, readers)) return s;
	storer_stop(s);
	return NULL;
}

static void join_threads(struct storer *s)
{
	lock(s);
	s->stopping = true;
	unlock(s);
	pthread_cond_broadcast(&s->write_asked);
	pthread_cond_broadcast(&s->read_asked);
	if (s->committing) pthread_join(s->committer, NULL);
	for (uint32_t i = 0; i < s->reader_count; i++) pthread_join(s->readers[i], NULL);
}

void storer_stop(struct storer *s)
{
	assert(!s->delivering);
	join_threads(s);
	queue_move(&s->ready, &s->finished);
	for (struct job *j; (j = queue_take(&s->ready)) != NULL;) job_free(j);
	if (s->woken != NULL) event_free(s->woken);
	if (s->turn != NULL) event_free(s->turn);
	if (s->wake_fd >= 0) close(s->wake_fd);
	pthread_cond_destroy(&s->read_asked);
	pthread_cond_destroy(&s->write_asked);
	pthread_mutex_destroy(&s->lock);
	free(s->group);
	free(s);
}
