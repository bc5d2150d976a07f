/* bench_node.c - where requests go, and their bytes. What is the same in each is written once. */
#include <netdb.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/panic.h"
#include "drive/bench.h"
#include "drive/cmd_http.h"

static bool resolve(struct bench_node *n, const struct bench_target *t, const char **why)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
	char port[8];
	snprintf(port, sizeof port, "%u", t->port);
	int code = getaddrinfo(t->host, port, &hints, &found);
	if (code != 0) {
		*why = gai_strerror(code);
		return false;
	}
	assert(found->ai_addrlen <= sizeof n->address);
	memcpy(&n->address, found->ai_addr, found->ai_addrlen);
	n->address_len = found->ai_addrlen;
	freeaddrinfo(found);
	return true;
}

static void print_head(struct buffer *to, const char *method, const char *bucket)
{
	buffer_printf(to, "%s /buckets/", method);
	cmd_http_escape(to, bucket);
	buffer_printf(to, "/keys/key-");
}

bool bench_node_init(struct bench_node *n, const struct bench_target *t,
                     const struct bench_options *o, const char **why)
{
	const char *bracket = strchr(t->host, ':') != NULL ? "[" : "";
	*n = (struct bench_node){0};
	if (!resolve(n, t, why)) return false;
	print_head(&n->put_head, "PUT", o->bucket);
	print_head(&n->get_head, "GET", o->bucket);
	buffer_printf(&n->put_tail,
	              "%s HTTP/1.1\r\nHost: %s%s%s:%u\r\nContent-Type: application/octet-stream\r\n"
	              "Content-Length: %lu\r\n",
	              o->query, bracket, t->host, *bracket ? "]" : "", t->port,
	              (unsigned long)o->value_bytes);
	buffer_printf(&n->get_tail, "%s HTTP/1.1\r\nHost: %s%s%s:%u\r\n", o->query, bracket, t->host,
	              *bracket ? "]" : "", t->port);
	return true;
}

void bench_node_free(struct bench_node *n)
{
	buffer_free(&n->put_head);
	buffer_free(&n->put_tail);
	buffer_free(&n->get_head);
	buffer_free(&n->get_tail);
}

static bool append(struct buffer *to, const struct buffer *part)
{
	return buffer_append(to, bytes_of(buffer_head(part), part->len));
}

bool bench_node_request(const struct bench_node *n, struct buffer *to, const struct bench_op *op,
                        const struct bench_key *k, struct bytes value)
{
	bool put = op->kind == BENCH_PUT;
	char digits[8]; /* BENCH_KEYS_MAX has nine: 0 to 99999999 */
	uint64_t rest = op->key;
	for (unsigned i = sizeof digits; i-- > 0; rest /= 10) digits[i] = (char)('0' + rest % 10);
	assert(rest == 0);
	bool done = append(to, put ? &n->put_head : &n->get_head) &&
	            buffer_append(to, bytes_of(digits, sizeof digits)) &&
	            append(to, put ? &n->put_tail : &n->get_tail);
	if (put && k != NULL && k->context_chars > 0)
		done = done && buffer_append(to, BYTES("X-Riak-Vclock: ")) &&
		       buffer_append(to, bytes_of(k->context, k->context_chars)) &&
		       buffer_append(to, BYTES("\r\n"));
	return done && buffer_append(to, BYTES("\r\n")) && (!put || buffer_append(to, value));
}
