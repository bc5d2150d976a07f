/* fuzz_http.c - whatever bytes a client sends: head, target, body, object request, and the answer
 * to it. Besides the sanitizers it checks that cutting the bytes differently changes no verdict,
 * that the length of an answer is as counted, and that what was decoded is within its limits. */
#include <stdlib.h>

#include "base/bytes.h"
#include "base/panic.h"
#include "wire/http_reply.h"
#include "wire/meta.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct http_request request;
static struct http_target target;
static uint8_t room[HTTP_SCRATCH_BYTES];

/* The same bytes in pieces of `step`; they must come to the verdict that they come to whole. */
static void parse_in_steps(const uint8_t *data, size_t size, size_t step, enum http_verdict whole,
                           const struct http_request *first)
{
	static struct http_request r;
	enum http_verdict v = HTTP_MORE;
	size_t last = 0;
	for (size_t len = step; v == HTTP_MORE; len += step) {
		if (len > size) len = size;
		v = http_parse(data, len, last, &r);
		if (len == size) break;
		last = len;
	}
	/* Past the limit of a line a partial head may be refused before it is looked at again. */
	assert(v == whole || size > HTTP_LINE_BYTES_MAX);
	assert(v != HTTP_BAD || r.status == first->status);
	assert(v != HTTP_COMPLETE || r.head_bytes == first->head_bytes);
}

/* The body as the connection would gather it, in memory of its own. */
static struct bytes gather(uint8_t *body, size_t len)
{
	struct http_chunks chunks = {0};
	size_t decoded = 0, used = 0;
	if (!request.chunked) {
		uint64_t want = request.content_length;
		return (struct bytes){body, want < len ? (size_t)want : len};
	}
	enum http_verdict v = http_chunks_decode(&chunks, body, len, &decoded, &used);
	assert(used <= len && decoded <= used);
	assert(v != HTTP_COMPLETE || chunks.body_bytes == decoded);
	assert(v != HTTP_MORE || used == len);
	return (struct bytes){body, decoded};
}

static void write_reply(const struct http_object_want *want, const struct reply *reply)
{
	struct http_object_reply a;
	http_object_reply_prepare(&a, want, reply, 0);
	uint8_t *bytes = malloc(a.bytes);
	struct http_out out = {bytes, a.bytes, 0};
	http_object_reply_write(&a, &out);
	assert(out.len == a.bytes);
	free(bytes);
}

/* What was asked to be stored comes back once alone, once beside another. */
static void answer(const struct http_object_want *want, const struct request *asked)
{
	struct sibling siblings[2] = {{.dot = asked->options.vtag, .tombstone = true},
	                              {.meta = asked->meta, .value = asked->value}};
	struct reply reply = {
		.written = true, .context = asked->context, .siblings = siblings, .sibling_count = 2};
	write_reply(want, &reply);
	reply.siblings++;
	reply.sibling_count = 1;
	write_reply(want, &reply);
	if (want->counter) memcpy(reply.number, "-12", 4);
	write_reply(want, &reply);
	reply = (struct reply){.err = ERR_W_UNMET, .outcome = OUTCOME_UNKNOWN};
	write_reply(want, &reply);
}

static void ask(struct bytes body)
{
	static const uint8_t entropy[HTTP_OBJECT_RANDOM_BYTES] = {1};
	struct http_scratch scratch = {room, sizeof(room), 0};
	struct http_object_want want;
	struct http_failure why = {0};
	struct request asked;
	struct meta meta;
	if (http_target_parse(&request, &scratch, &target) != NULL) return;
	bool object = target.route == HTTP_ROUTE_OBJECT || target.route == HTTP_ROUTE_OBJECT_LIST;
	if (!object && target.route != HTTP_ROUTE_COUNTER) return;
	http_object_admit(&request, &target, &why);
	if (!http_object_request(&request, &target, body, entropy, &scratch, &asked, &want, &why)) {
		struct http_out count = {NULL, 0, 0};
		assert(why.status >= 400);
		http_reply_failure(&why, &request, 0, &count);
		return;
	}
	assert(asked.key.len <= FULL_KEY_BYTES_MAX && asked.context.len <= CONTEXT_BYTES_MAX);
	assert(asked.op != REQUEST_INCREMENT || asked.value.len == INCREMENT_BYTES);
	assert(asked.meta.len <= META_BYTES_MAX && meta_read(asked.meta, &meta));
	void *memory = malloc(http_object_keep_bytes(&want));
	answer(http_object_keep(&want, memory), &asked);
	free(memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* Memory of exactly this size, so that the sanitizer sees one byte too far. */
	if (size == 0) return 0;
	uint8_t *copy = malloc(size);
	if (copy == NULL) return 0;
	memcpy(copy, data, size);
	enum http_verdict v = http_parse(copy, size, 0, &request);
	parse_in_steps(copy, size, 1 + size % 7, v, &request);
	parse_in_steps(copy, size, 1 + size / 3, v, &request);
	if (v == HTTP_COMPLETE) {
		struct bytes body = gather(copy + request.head_bytes, size - request.head_bytes);
		ask(body);
	}
	free(copy);
	return 0;
}
