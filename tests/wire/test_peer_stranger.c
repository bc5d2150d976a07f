/* test_peer_stranger.c - strangers without the key, as plain sockets, and a member gone mad that has it. */
#include "peer_world.h"

/* ---- strangers --------------------------------------------------------------------------------- */

static void another_key_does_not_get_in(void **state)
{
	(void)state;
	struct world *w = world_new();
	struct peers_config c = config_of(&w->at[0]);
	c.keys[0].b[31] = 99;
	struct station *a = start_with(w, 0, &c), *b = start(w, 1);
	know(a, b);
	know(b, a);
	RUN_UNTIL(w, peers_totals(b->peers).handshake_failures >= 3 &&
	                 stats_of(a, NULL).handshake_failures >= 3);
	assert_true(a->ups == 0 && b->ups == 0 && b->messages == 0);
	assert_non_null(strstr(a->last_log, "cluster key"));
	assert_true(b->logs <= 4);
	world_free(w);
}

static void keys_are_changed_without_a_break(void **state)
{
	(void)state;
	struct world *w = world_new();
	struct noise_key old = {{1, 2, 3}}, fresh = {{4, 5, 6}};
	struct peers_config c[NODES];
	const struct noise_key keys[NODES][2] = {{old, fresh}, {fresh, old}, {old, fresh}};
	for (unsigned i = 0; i < NODES; i++) {
		c[i] = config_of(&w->at[i]);
		memcpy(c[i].keys, keys[i], sizeof c[i].keys);
		c[i].key_count = 2;
		start_with(w, i, &c[i]);
	}
	for (unsigned i = 0; i < NODES; i++)
		for (unsigned j = 0; j < NODES; j++)
			if (i != j) know(&w->at[i], &w->at[j]);
	RUN_UNTIL(w, w->at[0].ups == 2 && w->at[1].ups == 2 && w->at[2].ups == 2);
	world_free(w);
}

static int stranger(const struct station *s)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in to = {.sin_family = AF_INET,
	                         .sin_port = htons((uint16_t)peers_port(s->peers)),
	                         .sin_addr = {htonl(INADDR_LOOPBACK)}};
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
	return fd;
}

/* Has the other end closed? */
static bool is_closed(int fd)
{
	uint8_t b[512];
	ssize_t n;
	while ((n = recv(fd, b, sizeof b, MSG_DONTWAIT)) > 0) continue;
	return n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK);
}

static void garbage_is_closed_and_logged_once_a_second(void **state)
{
	(void)state;
	struct world *w = world_new();
	struct station *a = start(w, 0);
	uint8_t noise[4096];
	for (unsigned i = 0; i < 50; i++) {
		int fd = stranger(a);
		randombytes_buf(noise, sizeof noise);
		assert_true(send(fd, noise, 48 + 80 * i, MSG_NOSIGNAL) > 0);
		RUN_UNTIL(w, is_closed(fd));
		close(fd);
	}
	assert_int_equal(peers_totals(a->peers).handshake_failures, 50);
	assert_int_equal(peers_totals(a->peers).handshakes_open, 0);
	assert_true(a->logs <= 3);
	world_free(w);
}

static void a_crowd_of_silent_strangers_does_not_keep_a_member_out(void **state)
{
	(void)state;
	enum { CROWD = HANDSHAKES_MAX + 40 };
	struct world *w = world_new();
	struct station *a = start(w, 0), *b = start(w, 1);
	int fds[CROWD];
	for (unsigned i = 0; i < CROWD; i++) {
		fds[i] = stranger(a);
		turn(w);
	}
	RUN_UNTIL(w, peers_totals(a->peers).accepted == CROWD);
	assert_int_equal(peers_totals(a->peers).handshakes_open, HANDSHAKES_MAX);
	assert_true(is_closed(fds[0]) && !is_closed(fds[CROWD - 1]));
	know(b, a);
	RUN_UNTIL(w, b->ups == 1);
	/* The rest is closed when its time is over. */
	RUN_UNTIL(w, peers_totals(a->peers).handshakes_open == 0);
	for (unsigned i = 0; i < CROWD; i++) {
		assert_true(is_closed(fds[i]));
		close(fds[i]);
	}
	assert_true(peers_is_up(b->peers, a->id));
	world_free(w);
}

/* ---- a member gone mad: it holds the key ------------------------------------------------------- */

struct mad {
	int fd;
	struct noise_cipher send, receive;
};

static void receive_exactly(struct world *w, int fd, uint8_t *to, size_t len)
{
	size_t got = 0;
	for (uint64_t until = now_ms() + PATIENCE_MS; got < len && now_ms() < until; turn(w)) {
		ssize_t n = recv(fd, to + got, len - got, MSG_DONTWAIT);
		if (n > 0) got += (size_t)n;
	}
	assert_int_equal(got, len);
}

static void send_frame(struct mad *m, struct bytes plain)
{
	uint8_t wire[1024];
	size_t len = frame_seal(&m->send, plain, wire);
	assert_int_equal(send(m->fd, wire, len, MSG_NOSIGNAL), len);
}

static struct mad shake_hands(struct world *w, const struct station *s)
{
	struct mad m = {.fd = stranger(s)};
	struct noise_key key = {{1, 2, 3}}, e;
	struct noise_handshake h;
	uint8_t first[NOISE_HANDSHAKE_BYTES], second[NOISE_HANDSHAKE_BYTES], payload[1];
	uint8_t hello[4 + HELLO_PLAIN_BYTES + NOISE_TAG_BYTES];
	struct bytes plain;
	randombytes_buf(e.b, sizeof e.b);
	noise_write_first(&h, &key, &e, BYTES("dunlin peers 1"), BYTES_EMPTY, first);
	assert_int_equal(send(m.fd, first, sizeof first, 0), sizeof first);
	receive_exactly(w, m.fd, second, sizeof second);
	assert_int_equal(noise_read_second(&h, bytes_of(second, sizeof second), payload), ERR_OK);
	noise_split(&h, &m.send, &m.receive);
	receive_exactly(w, m.fd, hello, sizeof hello);
	assert_int_equal(frame_open(&m.receive, hello, sizeof hello, &plain), ERR_OK);
	assert_int_equal(plain.data[0], FRAME_HELLO);
	return m;
}

static void say_hello(struct mad *m, uint8_t cluster, uint64_t start_nonce)
{
	struct hello h = {.node = {0xbad}, .start_nonce = start_nonce};
	uint8_t plain[HELLO_PLAIN_BYTES];
	memset(h.cluster, cluster, sizeof h.cluster);
	hello_write(&h, plain);
	send_frame(m, bytes_of(plain, sizeof plain));
}

static struct mad get_in(struct world *w, const struct station *s)
{
	struct mad m = shake_hands(w, s);
	say_hello(&m, 0, 1);
	return m;
}

/* The other way round: the station dials it, and is answered up to the keys. */
static struct mad be_dialled(struct world *w, const struct station *s)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof at;
	struct mad m = {.fd = -1};
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&at, len), 0);
	assert_int_equal(listen(listener, 5), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &len), 0);
	dial(s, "127.0.0.1", ntohs(at.sin_port));
	RUN_UNTIL(w, m.fd >= 0 || (m.fd = accept(listener, NULL, NULL)) >= 0);
	close(listener);
	struct noise_key key = {{1, 2, 3}}, e;
	struct noise_handshake h;
	uint8_t first[NOISE_HANDSHAKE_BYTES], second[NOISE_HANDSHAKE_BYTES], payload[1];
	unsigned which;
	randombytes_buf(e.b, sizeof e.b);
	receive_exactly(w, m.fd, first, sizeof first);
	assert_int_equal(noise_read_first(&h, &key, 1, BYTES("dunlin peers 1"),
	                                  bytes_of(first, sizeof first), payload, &which),
	                 ERR_OK);
	assert_int_equal(noise_write_second(&h, &e, BYTES_EMPTY, second), ERR_OK);
	assert_int_equal(send(m.fd, second, sizeof second, 0), sizeof second);
	noise_split(&h, &m.send, &m.receive);
	return m;
}

static void ends_after_plaintext(struct bytes plain, unsigned delivered)
{
	struct world *w = world_new();
	struct station *a = start(w, 0);
	struct mad m = get_in(w, a);
	send_frame(&m, plain);
	RUN_UNTIL(w, is_closed(m.fd));
	assert_int_equal(a->messages, delivered);
	close(m.fd);
	world_free(w);
}

static struct bytes framed_get(uint8_t *room, size_t capacity)
{
	struct msg m = get(4);
	struct packer p = {room + 5, capacity - 5, 0};
	msg_pack(&p, &m);
	room[0] = FRAME_WHOLE;
	put_u32be(room + 1, (uint32_t)p.len);
	return bytes_of(room, 5 + p.len);
}

static void a_malformed_frame_or_message_ends_the_connection(void **state)
{
	(void)state;
	uint8_t room[256];
	ends_after_plaintext(BYTES("\0\0\0\0\3abc"), 0);      /* no message */
	ends_after_plaintext(BYTES("\0\xff\xff\xff\xff"), 0); /* a length past the end */
	ends_after_plaintext(BYTES("\4abc"), 0);              /* no kind */
	ends_after_plaintext(BYTES("\1"), 0);                 /* an empty piece */
	ends_after_plaintext(BYTES("\2not a message"), 0);    /* a last piece */
	struct bytes good = framed_get(room, sizeof room);
	room[good.len] = 0; /* half a length behind a good message, which was already delivered */
	ends_after_plaintext(bytes_of(room, good.len + 1), 1);
	uint8_t hello[HELLO_PLAIN_BYTES];
	hello_write(&(struct hello){.node = {0xbad}}, hello);
	ends_after_plaintext(bytes_of(hello, sizeof hello), 0); /* a second hello */
}

static void a_message_before_hello_ends_the_connection(void **state)
{
	(void)state;
	struct world *w = world_new();
	struct station *a = start(w, 0);
	struct mad m = shake_hands(w, a);
	uint8_t room[256];
	send_frame(&m, framed_get(room, sizeof room));
	RUN_UNTIL(w, is_closed(m.fd));
	assert_int_equal(a->messages, 0);
	close(m.fd);
	world_free(w);
}

static void a_good_member_gets_its_message_through_even_byte_by_byte(void **state)
{
	(void)state;
	struct world *w = world_new();
	struct station *a = start(w, 0);
	struct mad m = get_in(w, a);
	uint8_t room[256], wire[512];
	size_t len = frame_seal(&m.send, framed_get(room, sizeof room), wire);
	for (size_t i = 0; i < len; i++) {
		assert_int_equal(send(m.fd, wire + i, 1, MSG_NOSIGNAL), 1);
		turn(w);
	}
	RUN_UNTIL(w, a->messages == 1);
	assert_int_equal(a->last_from.v, 0xbad);
	assert_int_equal(a->last.id.v, 4);
	close(m.fd);
	world_free(w);
}

static void a_frame_too_long_or_cut_short_or_changed_delivers_nothing(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct world *w = world_new();
		struct station *a = start(w, 0);
		struct mad m = get_in(w, a);
		uint8_t room[256], wire[512];
		size_t len = frame_seal(&m.send, framed_get(room, sizeof room), wire);
		if (i == 0) put_u32be(wire, FRAME_SEALED_BYTES_MAX + 1);
		if (i == 1) len--;
		if (i == 2) wire[10] ^= 1;
		assert_int_equal(send(m.fd, wire, len, MSG_NOSIGNAL), len);
		if (i == 1) shutdown(m.fd, SHUT_WR);
		RUN_UNTIL(w, is_closed(m.fd));
		assert_int_equal(a->messages, 0);
		close(m.fd);
		world_free(w);
	}
}

static void who_was_dialled_says_hello_and_nothing_else(void **state)
{
	(void)state;
	struct world *w = world_new();
	struct station *a = start(w, 0);
	struct mad m = be_dialled(w, a);
	uint8_t room[256];
	say_hello(&m, 0, 1);
	RUN_UNTIL(w, a->ups == 1);
	send_frame(&m, framed_get(room, sizeof room));
	RUN_UNTIL(w, a->downs == 1);
	assert_int_equal(a->messages, 0);
	close(m.fd);
	world_free(w);
}

static void a_node_that_came_back_replaces_its_earlier_start(void **state)
{
	(void)state;
	struct world *w = world_new();
	struct station *a = start(w, 0);
	struct mad before = get_in(w, a), twin = get_in(w, a);
	run_for(w, 50);
	assert_false(is_closed(before.fd) || is_closed(twin.fd));
	struct mad after = shake_hands(w, a);
	say_hello(&after, 0, 2);
	RUN_UNTIL(w, is_closed(before.fd) && is_closed(twin.fd));
	assert_false(is_closed(after.fd));
	close(before.fd);
	close(twin.fd);
	close(after.fd);
	world_free(w);
}

static void once_a_cluster_is_formed_nodes_of_another_are_let_go(void **state)
{
	(void)state;
	const uint8_t ours[16] = {1};
	struct world *w = world_new();
	struct station *a = start(w, 0);
	struct mad dialled = be_dialled(w, a), accepted = shake_hands(w, a);
	say_hello(&dialled, 2, 1);
	say_hello(&accepted, 2, 1);
	RUN_UNTIL(w, a->ups == 1 && peers_totals(a->peers).handshakes_open == 0);
	peers_set_cluster(a->peers, ours);
	RUN_UNTIL(w, a->downs == 1 && is_closed(accepted.fd));
	struct mad late = shake_hands(w, a);
	say_hello(&late, 2, 1);
	RUN_UNTIL(w, is_closed(late.fd));
	close(dialled.fd);
	close(accepted.fd);
	close(late.fd);
	world_free(w);
}

int main(void)
{
	if (sodium_init() < 0) return 1;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(another_key_does_not_get_in),
		cmocka_unit_test(keys_are_changed_without_a_break),
		cmocka_unit_test(garbage_is_closed_and_logged_once_a_second),
		cmocka_unit_test(a_crowd_of_silent_strangers_does_not_keep_a_member_out),
		cmocka_unit_test(a_malformed_frame_or_message_ends_the_connection),
		cmocka_unit_test(a_message_before_hello_ends_the_connection),
		cmocka_unit_test(a_good_member_gets_its_message_through_even_byte_by_byte),
		cmocka_unit_test(a_frame_too_long_or_cut_short_or_changed_delivers_nothing),
		cmocka_unit_test(who_was_dialled_says_hello_and_nothing_else),
		cmocka_unit_test(a_node_that_came_back_replaces_its_earlier_start),
		cmocka_unit_test(once_a_cluster_is_formed_nodes_of_another_are_let_go),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
