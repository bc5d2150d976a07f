/* test_peer.c - members among themselves: who finds whom, who goes and comes back, long messages. */
#include <arpa/inet.h>
#include <event2/dns.h>
#include <event2/dns_struct.h>
#include <sys/socket.h>
#include <unistd.h>

#include "peer_world.h"

/* ---- members among themselves ---------------------------------------------------------------- */

static void start_three(struct world *w)
{
	for (unsigned i = 0; i < NODES; i++) start(w, i);
	for (unsigned i = 0; i < NODES; i++)
		for (unsigned j = 0; j < NODES; j++)
			if (i != j) know(&w->at[i], &w->at[j]);
	RUN_UNTIL(w, w->at[0].ups == 2 && w->at[1].ups == 2 && w->at[2].ups == 2);
}

static void three_nodes_find_each_other_and_talk(void **state)
{
	(void)state;
	struct world *w = world_new();
	start_three(w);
	for (unsigned i = 0; i < NODES; i++)
		for (unsigned j = 0; j < NODES; j++) {
			struct msg m = get(100 * i + j);
			if (i != j) assert_true(peers_send(w->at[i].peers, id_of(j), &m));
		}
	RUN_UNTIL(w, w->at[0].messages == 2 && w->at[1].messages == 2 && w->at[2].messages == 2);
	assert_int_equal(w->at[0].last.type, MSG_GET);
	assert_int_equal(w->at[0].last.id.v, w->at[0].last_from.v == id_of(1).v ? 100 : 200);
	assert_int_equal(w->at[0].downs, 0);
	world_free(w);
}

static void what_a_turn_sends_to_one_peer_is_one_frame(void **state)
{
	(void)state;
	struct world *w = world_new();
	struct station *a = start(w, 0), *b = start(w, 1);
	know(a, b);
	RUN_UNTIL(w, a->ups == 1);
	uint64_t before = stats_of(a, NULL).bytes_out;
	struct msg m = get(1);
	struct packer p = {NULL, 0, 0};
	msg_pack(&p, &m);
	for (unsigned i = 0; i < 100; i++) assert_true(peers_send(a->peers, b->id, &m));
	RUN_UNTIL(w, b->messages == 100);
	uint64_t wire = 4 + 1 + 100 * (4 + p.len) + NOISE_TAG_BYTES;
	assert_int_equal(stats_of(a, NULL).bytes_out - before, wire);
	assert_int_equal(stats_of(a, NULL).messages_out, 100);
	world_free(w);
}

static void a_message_to_nobody_is_refused_and_counted(void **state)
{
	(void)state;
	struct world *w = world_new();
	struct station *a = start(w, 0);
	struct msg m = get(1);
	assert_false(peers_send(a->peers, id_of(1), &m));
	peers_know(a->peers, id_of(1), BYTES("127.0.0.1:1"));
	assert_false(peers_send(a->peers, id_of(1), &m));
	assert_int_equal(stats_of(a, NULL).dropped, 1);
	world_free(w);
}

/* A join list names the node itself, and one member under two names; a layout names it again. */
static void a_join_list_with_oneself_and_twins_ends_in_one_link_each(void **state)
{
	(void)state;
	struct world *w = world_new();
	struct station *a = start(w, 0), *b = start(w, 1);
	dial(a, "127.0.0.1", peers_port(a->peers));
	dial(a, "127.0.0.1", peers_port(b->peers));
	dial(a, "localhost", peers_port(b->peers));
	dial(a, "127.0.0.1", peers_port(b->peers));
	know(a, b);
	RUN_UNTIL(w, a->ups == 1);
	run_for(w, 400);
	char own[64], twin[64];
	address_in(own, sizeof own, "127.0.0.1", peers_port(a->peers));
	address_in(twin, sizeof twin, "localhost", peers_port(b->peers));
	assert_string_equal(stats_of(a, own).state, "self");
	assert_string_equal(stats_of(a, twin).state, "twin");
	assert_int_equal(a->ups, 1);
	assert_int_equal(a->downs, 0);
	assert_true(peers_is_up(a->peers, b->id));
	world_free(w);
}

static void a_name_is_resolved(void **state)
{
	(void)state;
	struct world *w = world_new();
	struct station *a = start(w, 0), *b = start(w, 1);
	dial(a, "localhost", peers_port(b->peers));
	RUN_UNTIL(w, a->ups == 1);
	assert_int_equal(a->last_up.v, b->id.v);
	world_free(w);
}

/* ---- a name server ------------------------------------------------------------------------------ */

struct name_server {
	unsigned asked, silent; /* so many questions it answers at the end */
	struct evdns_server_request *held[2];
	struct evdns_server_port *port;
	char file[64];
};

static void answer_name(struct evdns_server_request *r, void *ctx)
{
	struct name_server *n = ctx;
	const uint8_t loopback[4] = {127, 0, 0, 1};
	if (n->asked++ < n->silent) {
		n->held[n->asked - 1] = r;
		return;
	}
	if (r->questions[0]->type == EVDNS_TYPE_A)
		evdns_server_request_add_a_reply(r, r->questions[0]->name, 1, loopback, 1);
	evdns_server_request_respond(r, 0);
}

static void name_server_open(struct name_server *n, struct world *w)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof at;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0 && bind(fd, (struct sockaddr *)&at, len) == 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	n->port = evdns_add_server_port_with_base(w->base, fd, 0, answer_name, n);
	assert_non_null(n->port);
	snprintf(n->file, sizeof n->file, "/tmp/dunlin-resolv.XXXXXX");
	int file = mkstemp(n->file);
	assert_true(file >= 0);
	dprintf(file, "nameserver 127.0.0.1:%u\noptions timeout:60 attempts:1\n", ntohs(at.sin_port));
	close(file);
}

static void name_server_close(struct name_server *n, struct world *w)
{
	for (unsigned i = 0; i < n->silent; i++)
		evdns_server_request_respond(n->held[i], DNS_ERR_NOTEXIST);
	run_for(w, 200);
	evdns_close_server_port(n->port);
	unlink(n->file);
}

/* It knows no name of a node that is down, and is slow to say so; then the node is back, and dials. */
static void a_peer_that_is_heard_is_looked_up_again(void **state)
{
	(void)state;
	struct world *w = world_new();
	struct name_server n = {.silent = 2}; /* the A and the AAAA of the first look-up */
	name_server_open(&n, w);
	struct peers_config c = config_of(&w->at[0]);
	c.resolv_conf = n.file;
	struct station *a = start_with(w, 0, &c), *b = start(w, 1);
	char room[64];
	peers_know(a->peers, b->id, address_in(room, sizeof room, "b.test", peers_port(b->peers)));
	RUN_UNTIL(w, n.asked >= 2);
	assert_string_equal(stats_of(a, room).state, "resolving");
	know(b, a);
	RUN_UNTIL(w, a->ups == 1);
	assert_true(n.asked > 2); /* the first look-up would have waited for a minute */
	name_server_close(&n, w);
	world_free(w);
}

static void an_address_that_is_none_is_refused(void **state)
{
	(void)state;
	struct world *w = world_new();
	struct station *a = start(w, 0);
	const char *bad[] = {"",           "host",    "host:",   ":80",    "host:0",
	                     "host:65536", "host:1x", "ho st:1", "h\"x:1", "host:123456"};
	struct found f = {0};
	for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++)
		peers_dial(a->peers, bytes_of_string(bad[i]));
	peers_each(a->peers, visit, &f);
	assert_int_equal(f.links, 0);
	assert_int_equal(a->warnings, sizeof bad / sizeof *bad);
	world_free(w);
}

static void a_known_node_that_refuses_is_told_down_once(void **state)
{
	(void)state;
	struct world *w = world_new();
	struct station *a = start(w, 0);
	peers_know(a->peers, id_of(1), BYTES("127.0.0.1:1"));
	RUN_UNTIL(w, a->downs == 1);
	run_for(w, 400);
	assert_int_equal(a->downs, 1);
	assert_int_equal(a->logs, 1);
	assert_int_equal(a->last_down.v, id_of(1).v);
	world_free(w);
}

static void a_node_that_restarts_goes_down_and_comes_up_again(void **state)
{
	(void)state;
	struct world *w = world_new();
	struct station *a = start(w, 0), *b = start(w, 1);
	know(a, b);
	know(b, a);
	RUN_UNTIL(w, a->ups == 1 && b->ups == 1);
	char listen[64];
	snprintf(listen, sizeof listen, "127.0.0.1:%u", peers_port(b->peers));
	stop(b);
	RUN_UNTIL(w, a->downs == 1);
	assert_false(peers_is_up(a->peers, b->id));
	struct peers_config c = config_of(b);
	c.listen = listen;
	c.start_nonce = 78;
	start_with(w, 1, &c);
	RUN_UNTIL(w, a->ups == 2);
	struct msg m = get(9);
	assert_true(peers_send(a->peers, b->id, &m));
	RUN_UNTIL(w, b->messages == 1);
	assert_int_equal(stats_of(a, NULL).breaks, 1);
	world_free(w);
}

static void another_node_at_a_members_address_is_not_that_member(void **state)
{
	(void)state;
	struct world *w = world_new();
	struct station *a = start(w, 0), *b = start(w, 1);
	char room[64];
	peers_know(a->peers, id_of(2),
	           address_in(room, sizeof room, "127.0.0.1", peers_port(b->peers)));
	RUN_UNTIL(w, a->downs == 1);
	assert_int_equal(a->ups, 0);
	assert_int_equal(a->last_down.v, id_of(2).v);
	assert_non_null(strstr(a->last_log, "another node answers"));
	world_free(w);
}

static void a_member_that_moved_is_found_at_its_new_address(void **state)
{
	(void)state;
	struct world *w = world_new();
	struct station *a = start(w, 0), *b = start(w, 1);
	peers_know(a->peers, b->id, BYTES("127.0.0.1:1"));
	RUN_UNTIL(w, a->downs == 1);
	know(a, b);
	RUN_UNTIL(w, a->ups == 1);
	world_free(w);
}

/* The layout's address is out of date; the join list reaches the node all the same. */
static void a_join_address_serves_a_member_whose_own_does_not_answer(void **state)
{
	(void)state;
	struct world *w = world_new();
	struct station *a = start(w, 0), *b = start(w, 1);
	peers_know(a->peers, b->id, BYTES("127.0.0.1:1"));
	RUN_UNTIL(w, a->downs == 1);
	dial(a, "127.0.0.1", peers_port(b->peers));
	RUN_UNTIL(w, a->ups == 1);
	struct msg m = get(9);
	assert_true(peers_send(a->peers, b->id, &m));
	RUN_UNTIL(w, b->messages == 1);
	world_free(w);
}

static void a_forgotten_node_is_left_alone(void **state)
{
	(void)state;
	struct world *w = world_new();
	struct found f = {0};
	start_three(w);
	struct station *a = &w->at[0];
	peers_forget(a->peers, id_of(1));
	struct msg m = get(1);
	assert_false(peers_send(a->peers, id_of(1), &m));
	assert_true(peers_send(a->peers, id_of(2), &m));
	run_for(w, 300);
	peers_each(a->peers, visit, &f);
	assert_int_equal(f.links, 1);
	assert_int_equal(a->downs, 0);
	know(a, &w->at[1]);
	RUN_UNTIL(w, a->ups == 3);
	world_free(w);
}

static void a_node_may_be_forgotten_in_the_callback_that_says_it_is_up(void **state)
{
	(void)state;
	struct world *w = world_new();
	struct station *a = start(w, 0), *b = start(w, 1);
	a->forget_on_up = b->id;
	know(a, b);
	RUN_UNTIL(w, a->ups == 1);
	struct found f = {0};
	run_for(w, 200);
	peers_each(a->peers, visit, &f);
	assert_int_equal(f.links, 0);
	world_free(w);
}

static void nodes_of_two_clusters_do_not_connect(void **state)
{
	(void)state;
	struct world *w = world_new();
	struct peers_config c = config_of(&w->at[0]), d = config_of(&w->at[1]);
	memset(c.cluster, 1, 16);
	memset(d.cluster, 2, 16);
	struct station *a = start_with(w, 0, &c), *b = start_with(w, 1, &d), *fresh = start(w, 2);
	know(a, b);
	know(a, fresh);
	know(b, fresh);
	RUN_UNTIL(w, a->ups == 1 && b->ups == 1 && a->downs == 1);
	assert_int_equal(a->last_up.v, fresh->id.v);
	/* The fresh one joins a's cluster: its connection with b is of no use any more. */
	peers_set_cluster(fresh->peers, c.cluster);
	RUN_UNTIL(w, b->downs == 1);
	run_for(w, 200);
	assert_int_equal(a->downs, 1);
	assert_true(peers_is_up(a->peers, fresh->id));
	world_free(w);
}

/* ---- long messages ----------------------------------------------------------------------------- */

static void a_long_message_passes_while_heartbeats_overtake_it(void **state)
{
	(void)state;
	struct world *w = world_new();
	struct station *a = start(w, 0), *b = start(w, 1);
	know(a, b);
	RUN_UNTIL(w, a->ups == 1);
	size_t len = MIB(20);
	uint8_t *object = malloc(len), hash[32];
	assert_non_null(object);
	randombytes_buf(object, len);
	crypto_generichash(hash, 32, object, len, NULL, 0);
	struct msg m = bulk(bytes_of(object, len)), beat = heartbeat(1), small = get(5);
	assert_true(peers_send(a->peers, b->id, &m));
	free(object); /* it was encoded at once */
	assert_true(peers_send(a->peers, b->id, &small));
	for (unsigned i = 0; b->bulk == 0; i++) {
		assert_true(i < 100000);
		if (i % 4 == 0) peers_send(a->peers, b->id, &beat);
		turn(w);
	}
	assert_int_equal(b->bulk_len, len);
	assert_memory_equal(b->bulk_hash, hash, 32);
	assert_true(b->heartbeats_before_bulk >= 2);
	assert_int_equal(stats_of(a, NULL).dropped, 0);
	RUN_UNTIL(w, b->messages == b->heartbeats + 2);
	world_free(w);
}

/* The peer's process stands still: what waits for it is bounded, and is dropped when it goes. */
static void a_peer_that_does_not_read_fills_its_queue_and_no_more(void **state)
{
	(void)state;
	struct world *w = world_new(), *slow = world_new();
	struct station *a = start(w, 0), *b = start(slow, 1);
	know(a, b);
	for (unsigned i = 0; i < 5000 && a->ups == 0; i++) {
		turn(w);
		turn(slow);
	}
	assert_int_equal(a->ups, 1);
	size_t len = MIB(1);
	uint8_t *object = calloc(1, len);
	struct msg m = bulk(bytes_of(object, len));
	unsigned taken = 0;
	for (unsigned i = 0; i < 100; i++) {
		taken += peers_send(a->peers, b->id, &m);
		turn(w);
	}
	struct peer_stats s = stats_of(a, NULL);
	assert_true(s.queued_bytes <= PEER_QUEUE_BYTES_MAX);
	assert_true(s.queued_bytes > PEER_QUEUE_BYTES_MAX - 2 * len);
	assert_int_equal(s.dropped, 100 - taken);
	assert_true(taken < 90);
	stop(b);
	RUN_UNTIL(w, a->downs == 1);
	s = stats_of(a, NULL);
	assert_int_equal(s.queued_bytes, 0);
	assert_true(s.dropped + s.messages_out == 100);
	free(object);
	world_free(slow);
	world_free(w);
}

int main(void)
{
	if (sodium_init() < 0) return 1;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(three_nodes_find_each_other_and_talk),
		cmocka_unit_test(what_a_turn_sends_to_one_peer_is_one_frame),
		cmocka_unit_test(a_message_to_nobody_is_refused_and_counted),
		cmocka_unit_test(a_join_list_with_oneself_and_twins_ends_in_one_link_each),
		cmocka_unit_test(a_name_is_resolved),
		cmocka_unit_test(a_peer_that_is_heard_is_looked_up_again),
		cmocka_unit_test(an_address_that_is_none_is_refused),
		cmocka_unit_test(a_known_node_that_refuses_is_told_down_once),
		cmocka_unit_test(a_node_that_restarts_goes_down_and_comes_up_again),
		cmocka_unit_test(another_node_at_a_members_address_is_not_that_member),
		cmocka_unit_test(a_member_that_moved_is_found_at_its_new_address),
		cmocka_unit_test(a_join_address_serves_a_member_whose_own_does_not_answer),
		cmocka_unit_test(a_forgotten_node_is_left_alone),
		cmocka_unit_test(a_node_may_be_forgotten_in_the_callback_that_says_it_is_up),
		cmocka_unit_test(nodes_of_two_clusters_do_not_connect),
		cmocka_unit_test(a_long_message_passes_while_heartbeats_overtake_it),
		cmocka_unit_test(a_peer_that_does_not_read_fills_its_queue_and_no_more),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
