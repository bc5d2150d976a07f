/* limits.h - every bound of the system, in one place.
 *
 * Each says what it bounds, what it costs, and (after "sim:") the extreme value that the simulator
 * tries. A bound that is reached is an answer (429 or 503 with Retry-After, 400, 413, 431), never
 * a lost acknowledged write. Times are microseconds unless the name says otherwise. */
#ifndef DUNLIN_LIMITS_H
#define DUNLIN_LIMITS_H

/* Not from <assert.h>: its assert vanishes under NDEBUG, ours (base/panic.h) does not. */
#undef static_assert
#define static_assert _Static_assert

#define KIB(n) ((n)*1024UL)
#define MIB(n) ((n)*1024UL * 1024UL)
#define MS(n) ((n)*1000UL)
#define SECONDS(n) ((n)*1000000UL)

/* ---- names ------------------------------------------------------------------------------- */

/* Bucket type, bucket and key, decoded. They are part of every stored key and every message. */
#define TYPE_BYTES_MAX 255
#define BUCKET_BYTES_MAX 1024
#define NAME_BYTES_MAX 4096
/* A full key: the three, each behind a two-byte length. */
#define FULL_KEY_BYTES_MAX (TYPE_BYTES_MAX + BUCKET_BYTES_MAX + NAME_BYTES_MAX + 6)
/* What all full keys of a type, or of a bucket, begin with. */
#define PREFIX_BYTES_MAX (TYPE_BYTES_MAX + BUCKET_BYTES_MAX + 4)

/* ---- cluster ----------------------------------------------------------------------------- */

/* Replicas of a key. The quorum masks of a coordinator are one byte. */
#define REPLICAS_MAX 8
#define REPLICAS_DEFAULT 3
/* Partitions of the ring (Q), a power of two. The table costs 2 * N bytes a partition. */
#define PARTITIONS_MAX 65536
#define PARTITIONS_DEFAULT 256
/* Members of one layout. Each costs about 600 bytes in every copy of the layout. sim: 3 to 9. */
#define MEMBERS_MAX 1024
#define MEMBER_NAME_BYTES_MAX 63
#define MEMBER_ADDRESS_BYTES_MAX 255
#define MEMBER_ZONE_BYTES_MAX 63
#define MEMBER_WEIGHT_MAX 1000
/* Ids that were members and never will be again, kept in every layout: 9 bytes each. */
#define RETIRED_MAX 65536
/* Addresses in one `join` list. */
#define JOIN_ADDRESSES_MAX 256

/* ---- objects ----------------------------------------------------------------------------- */

/* A value a client may write; larger is 413. Default of `value_bytes_max`. */
#define VALUE_BYTES_MAX MIB(8)
/* The stored header fields of one sibling (content type, user metadata, links). */
#define META_BYTES_MAX KIB(64)
/* Siblings that a client's write may leave behind; past it a write that adds one is refused with
 * 503. Merges are never refused, so decoders accept more. sim: 3. */
#define SIBLINGS_MAX 100
#define SIBLINGS_DECODE_MAX 4096
/* Entries of a causal state, vector and single dots each. 18 bytes an entry on disk. */
#define VECTOR_ENTRIES_MAX 4096
/* Encoded, by itself: what it has seen of one key. */
#define CAUSAL_BYTES_MAX (2 * VECTOR_ENTRIES_MAX * 18 + 16)
/* An encoded context as a client carries it, before base64. */
#define CONTEXT_BYTES_MAX KIB(8)
/* An encoded object that a client's write may produce; past it the write is refused with 503. */
#define OBJECT_BYTES_MAX MIB(32)

/* Entries of a counter: one for each actor that counted, so one more for each start of a node that does.
 * Past it increments are refused with 503. About 30 bytes each. sim: as it is. */
#define COUNTER_ENTRIES_MAX 1024
/* Digits of the number that an increment may add: those of the greatest of 64 bits with sign. */
#define COUNTER_DIGITS_MAX 19
/* The number that a counter shows, as text with its end: siblings that are merged for a reader may stand
 * for more than 64 bits. */
#define COUNTER_TEXT_BYTES 32

/* A value's time to live in seconds, per object or bucket: 100 years. */
#define TTL_SECONDS_MAX 3155760000UL
/* ETags in one If-Match or If-None-Match; more are refused with 400. 16 bytes each. */
#define CONDITION_TAGS_MAX 64

/* ---- bucket properties -------------------------------------------------------------------- */

/* Buckets (and types) with properties of their own. Each costs about 1.5 KiB of the pool for as long
 * as the node lives, so past this a PUT of properties is refused with 503. sim: 4. */
#define PROPS_BUCKETS_MAX 4096
/* Bucket types that the configuration may declare. */
#define BUCKET_TYPES_MAX 64
/* A document that changes properties; larger is 413. It is parsed at once, while others wait. */
#define PROPS_DOCUMENT_BYTES_MAX KIB(64)
/* Entries of the property map in one message, and its bytes. */
#define PROPS_PAGE_ENTRIES_MAX 16
#define PROPS_PAGE_BYTES_MAX KIB(48)
/* While n_val of a bucket is being changed its members take no writes there, for this long at most;
 * and how many such changes may be under way. */
#define PROPS_CLOSED_US SECONDS(10)
#define PROPS_CLOSED_MAX 8

/* ---- background work ----------------------------------------------------------------------- */

/* Bytes a second that a node reads for listings and other work in the background, and how much it may
 * read at once after a rest. What is over it waits. A page of a scan counts with its records. */
#define BACKGROUND_BYTES_PER_S MIB(32)
#define BACKGROUND_BURST_BYTES MIB(4)
/* It is halved while clients wait longer than usual, once a window, down to this much and never to
 * nothing; and grows by a sixteenth of the whole in each window in which they do not. sim: as it is. */
#define BACKGROUND_BYTES_PER_S_MIN MIB(1)
#define BACKGROUND_STEPS 16
/* Longer than usual: a p99 of twice what it has been of late, and longer than this. A window lasts so
 * long, and until so many requests were answered, but at most ten times so long. */
#define FOREGROUND_P99_US MS(10)
#define FOREGROUND_WINDOW_US SECONDS(1)
#define FOREGROUND_REQUESTS 100
/* A listing's `timeout`: default. Ceiling: REQUEST_TIMEOUT_US_MAX. */
#define LIST_TIMEOUT_US SECONDS(300)
/* Listings under way on one node. Each holds one page of names, and a listing of buckets all names
 * of buckets that it has seen. Past it: 503. */
#define LISTS_MAX 64
#define LIST_BUCKETS_MAX 100000
/* Names in one page that a client asks for by `max_results`. */
#define LIST_RESULTS_MAX 1000000
#define LIST_BUCKETS_RESULTS_MAX 10000
/* How long one replica may take over one page, before another is asked. */
#define LIST_PAGE_US SECONDS(5)

/* ---- time -------------------------------------------------------------------------------- */

/* How far above its own clock a node follows a received time, and how far from the median of its
 * peers its own clock may be before it stops minting. sim: clocks 60 s apart. */
#define CLOCK_SKEW_MAX_MS 10000UL
/* A wall clock that moves this much against the monotonic one has jumped: how far it is from the others'
 * is worked out anew at once. */
#define CLOCK_JUMP_MS 100L
/* How far ahead of use the hybrid clock is reserved on disk, and when the next piece is asked for. A
 * crash moves the clock ahead by at most this much, so it stays well below CLOCK_SKEW_MAX_MS; the
 * cost is one small write per half of it while the node mints. */
#define HLC_RESERVE_MS 5000UL
#define HLC_RESERVE_AGAIN_MS 2500UL

/* ---- requests ---------------------------------------------------------------------------- */

/* Client requests in flight on one shard: one coordinator slot each (about 1 KiB and what the
 * request's bytes take from the pool). Over it: 503. sim: 8. */
#define COORD_SLOTS_MAX 8192
/* Peers' requests in flight on one shard. Over it the asker gets ERR_BUSY. sim: 8. */
#define REPLICA_SLOTS_MAX 8192
/* Hints in delivery at once on one shard, to all nodes together. */
#define HINT_SLOTS_MAX 256
/* Keys with a write in flight: at most one per slot that can write. */
#define KEYS_IN_FLIGHT_MAX (COORD_SLOTS_MAX + REPLICA_SLOTS_MAX + HINT_SLOTS_MAX)
/* Memory for the bytes of all requests in flight on one shard; address space, touched when used.
 * Over it: 503. */
#define POOL_BYTES_MAX MIB(1024)
/* The smallest and the largest piece the pool hands out. */
#define POOL_PIECE_BYTES_MIN 512UL
#define POOL_PIECE_BYTES_MAX MIB(256)
/* A client's `timeout`: default and ceiling. */
#define REQUEST_TIMEOUT_US SECONDS(60)
#define REQUEST_TIMEOUT_US_MAX SECONDS(3600)
/* After this a primary that has not acknowledged gets an extra hint. sim: 20 ms. */
#define HINT_AFTER_US MS(500)
/* After its answer a read waits this long for the other replicas, to repair them. */
#define READ_STRAGGLER_US MS(1000)
/* A read asks as many replicas as it needs, the best ones; one read in so many asks all of them, so
 * that also those that nobody prefers are measured, and repaired. sim: 1 to 1000. */
#define READ_ALL_ONE_IN 16
/* An object larger than this is sent by one replica only; the others send its digest and what it has
 * seen. sim: 0 and 64. */
#define READ_WHOLE_BYTES KIB(2)
/* One more replica is asked (a hedge) when one takes longer than all but a twentieth of its reads; no
 * earlier and no later than this. sim: as it is. */
#define HEDGE_US_MIN MS(2)
#define HEDGE_US_MAX MS(100)
/* Hedges are at most one in so many reads, and so many at once after a rest: slowness that is
 * everywhere is not made worse by them. */
#define HEDGE_ONE_IN 10
#define HEDGE_BURST 32
/* A replica is slow, and asked last, when it takes this many times as long as the best, and this much
 * longer. A single answer counts for no more than the last figure. */
#define SLOW_TIMES 4
#define SLOW_US MS(1)
#define LATENCY_US_MAX SECONDS(10)
/* A replica's own work for a peer, and one page of a scan, are given up after this. */
#define PEER_REQUEST_TIMEOUT_US SECONDS(10)
/* Targets of one write: the N primaries and the fallbacks tried in their place. */
#define TARGETS_MAX 16
/* Forwarded requests that a coordinator remembers having taken, so that one that the network brings
 * twice is minted once. 16 bytes each; at 10,000 forwards a second they reach back six seconds. */
#define FORWARDS_REMEMBERED 65536
/* Effects that one step may cause. A tick that would cause more stops and asks for another. */
#define EFFECTS_PER_STEP_MAX 512
/* Steps that one traced request may tell in one step of the node: of each target that it is down or
 * asked, silent, and of each place that it is hinted; and ten of its own. */
#define TRACE_STEPS_AT_ONCE_MAX (2 * TARGETS_MAX + REPLICAS_MAX + 10)
/* Effects that one request may cause in one step: a send and a hint for each target, a store
 * write, a reply, and its trace. */
#define EFFECTS_PER_REQUEST_MAX (2 * TARGETS_MAX + 4 + TRACE_STEPS_AT_ONCE_MAX)
/* Operations in one store batch. */
#define STORE_BATCH_OPS_MAX 64

/* ---- failure detection ------------------------------------------------------------------- */

/* A node says that it is alive this often, and is believed down after this long in silence. */
#define HEARTBEAT_US MS(250)
#define SILENCE_US MS(1500)

/* ---- hints ------------------------------------------------------------------------------- */

/* Extra hints (not stand-in copies) older than this, past this many, or past this many bytes of their
 * records are dropped with a count. Defaults of `hint_window_ms` and `hint_bytes_max`. sim: 8 of them. */
#define HINT_WINDOW_MS 10800000UL
#define EXTRA_HINTS_MAX 10000000
#define HINT_BYTES_MAX MIB(1024)
/* Stand-in copies that a node takes, and bytes of their objects; past either it refuses to stand in. What
 * is on its way to the disk by then still comes on top: a write for each slot at most. Defaults of
 * `stand_ins_max` and `stand_in_bytes_max`. sim: 4 of them. */
#define STAND_INS_MAX 10000000
#define STAND_IN_BYTES_MAX MIB(16384)
/* How often undelivered hints are tried again; twice as long after each time that nothing could be
 * delivered, up to the second figure. A peer that comes back starts at once. */
#define HINT_PERIOD_US MS(1000)
#define HINT_PERIOD_US_MAX SECONDS(30)
/* A delivery that is not confirmed by then is tried again later. After one that was refused or not
 * confirmed its node is left in peace for the second figure, twice as long each time, up to
 * HINT_PERIOD_US_MAX, and is then sent one at a time until it confirms one. */
#define HINT_DELIVERY_US SECONDS(2)
#define HINT_REFUSED_US MS(250)
/* Deliveries under way to one node at once: at the beginning, and at most (one more for each that is
 * confirmed). So a node that does not answer keeps only so many slots from the others. */
#define HINT_OPEN_FIRST 8
#define HINT_OPEN_MAX 32
/* Bytes a second that a node which comes back is sent of what it missed, by all the others together. Each
 * sends its share, but no less than the second figure, and at once after a rest the third. */
#define HINT_TARGET_BYTES_PER_S MIB(16)
#define HINT_TARGET_BYTES_PER_S_MIN KIB(256)
#define HINT_TARGET_BURST_BYTES MIB(1)
/* Hint records read in one page: bytes, and records when all are looked over. */
#define HINT_PAGE_BYTES KIB(16)
#define HINT_SWEEP_RECORDS 512
/* All records are looked over this often, and no more often than takes a tenth of the time: those that
 * are too old go, and what is held is counted. */
#define HINT_SWEEP_US SECONDS(60)
#define HINT_SWEEP_SHARE 10

/* ---- peers ------------------------------------------------------------------------------- */

/* Plaintext of one frame. Longer messages travel in pieces, so that urgent ones can pass them. */
#define FRAME_BYTES_MAX KIB(64)
/* One message between peers. */
#define MSG_BYTES_MAX MIB(128)
/* Bytes queued for one peer; over it messages to that peer are dropped with a count. */
#define PEER_QUEUE_BYTES_MAX MIB(64)
/* Reconnecting: first wait, and ceiling. */
#define RECONNECT_US_MIN MS(50)
#define RECONNECT_US_MAX SECONDS(2)
/* Names of peers being looked up at once, with those that nobody waits for any more; each may take the
 * name server's time, 15 s by default. */
#define LOOK_UPS_MAX 64
/* A handshake that takes longer is abandoned; and how many may be under way from strangers. */
#define HANDSHAKE_TIMEOUT_US SECONDS(5)
#define HANDSHAKES_MAX 256
/* What was sent to a peer must be acknowledged by its TCP after this, or the connection is given up
 * (TCP_USER_TIMEOUT): after a partition heals, a new one is quicker than the old one's backed off
 * retransmissions. An accepted connection in silence is probed after as long. */
#define PEER_STALL_US SECONDS(5)
/* Sealed bytes that one connection holds for its socket, and those that the kernel may hold unsent
 * (TCP_NOTSENT_LOWAT). An urgent message waits for these at most. */
#define PEER_OUT_BYTES KIB(264)
#define PEER_UNSENT_BYTES KIB(128)
/* What a connection may have sent before it has said who it is. Memory per stranger. */
#define PEER_GREETING_BYTES_MAX 512
/* One page of a scan exchange, and entries in it. */
#define SCAN_PAGE_BYTES KIB(48)
#define SCAN_PAGE_ENTRIES_MAX 2048

/* A round of reaping begins this long after the last one ended, if anything waits for it. */
#define REAP_PERIOD_US SECONDS(300)

/* A node that stores anything says so on its disk this often at most (memory.c). */
#define MEMORY_BEAT_US SECONDS(1)
/* Merges of a verification under way at once, and how long it rests when a replica is silent. */
#define VERIFY_MERGES_MAX 32
#define VERIFY_PAUSE_US SECONDS(1)

/* ---- traces -------------------------------------------------------------------------------- */

/* Traced requests (`trace=1`) that a node remembers, for how long, and steps of each. A step costs
 * about 150 bytes: 3.5 MiB in all, taken when the first request is traced. The oldest goes first. */
#define TRACES_KEPT_MAX 256
#define TRACE_KEPT_US SECONDS(600)
#define TRACE_STEPS_MAX 96
/* How long `dunlin get --trace` waits, after the answer, for what follows it: late answers, and the
 * repair of who was stale. */
#define CLI_TRACE_WAIT_MS 3000

/* ---- HTTP -------------------------------------------------------------------------------- */

#define HTTP_LINE_BYTES_MAX KIB(16)
#define HTTP_HEADER_BYTES_MAX KIB(64)
#define HTTP_HEADERS_MAX 512
/* A whole head: an empty line before it, the request line, the block, and the line ends. */
#define HTTP_HEAD_BYTES_MAX (HTTP_LINE_BYTES_MAX + HTTP_HEADER_BYTES_MAX + 6)
/* Chunked bodies: one chunk-size line with its extension, and all extensions and trailers of a body. */
#define HTTP_CHUNK_LINE_BYTES_MAX 256
#define HTTP_CHUNK_EXTRA_BYTES_MAX KIB(16)
/* What one request may decode to (wire/http_scratch.h): target, link under way, full key,
 * context, Accept and Content-Encoding joined, metadata. */
#define HTTP_SCRATCH_BYTES KIB(256)
#define HTTP_QUERY_PARAMS_MAX 64
#define HTTP_PATH_SEGMENTS_MAX 8
/* Connections of clients; the next one is answered 503 and closed. */
#define HTTP_CONNECTIONS_MAX 4096
/* Requests of one connection that are answered out of one read (pipelining). */
#define HTTP_PIPELINE_MAX 64
/* A request must be complete this long after its first byte; a silent connection is closed. */
#define HTTP_REQUEST_TIMEOUT_US SECONDS(60)
#define HTTP_IDLE_TIMEOUT_US SECONDS(300)
/* Of a listing that is not streamed: what is held back, so that one that fails is answered 503; and
 * bytes of names that are no UTF-8, which come behind the others. */
#define HTTP_LIST_HOLD_BYTES KIB(256)
#define HTTP_LIST_ENCODED_BYTES MIB(4)
/* A listing goes on when no more than this waits to be written. */
#define HTTP_LIST_OUT_BYTES KIB(64)
/* Bytes of answers that wait for a slow reader before its connection is no longer read from; the last
 * answer may be past it. All connections together hold at most `pool_bytes`. */
#define HTTP_OUT_BYTES_MAX MIB(4)

/* ---- store ------------------------------------------------------------------------------- */

/* Writes that wait for the commit thread. A batch for one fdatasync is at most this many. */
#define STORE_QUEUE_MAX 16384
/* After a write that the disk had no room for a node hands clients' writes to others for this long
 * before it tries again: each one that it mints and cannot store costs an actor. */
#define STORE_FULL_PAUSE_US SECONDS(1)
/* Threads that read what was not in cache, and reads that wait for them. */
#define STORE_READERS_DEFAULT 2
#define STORE_READS_MAX 16384
/* Bytes of the writes in one group: bounds what one fdatasync carries, and the engine's copy. */
#define STORE_GROUP_BYTES_MAX MIB(64)
/* Completions handed over per loop turn, so that a burst does not starve the sockets. */
#define STORE_COMPLETIONS_PER_TURN_MAX 1024
/* One page of a scan as it is copied for the core; one larger record is still a page. */
#define STORE_SCAN_BYTES_MAX MIB(64)

/* Memory of the RocksDB engine: cached blocks (indexes and filters included), and writes not yet
 * flushed, over all families. A node that idles uses little of either. */
#define STORE_CACHE_BYTES MIB(32)
#define STORE_BUFFER_BYTES MIB(32)
/* Memory for objects that were read or written last, in front of the engine, with all that they take
 * besides; default of `record_cache_bytes`. It is taken as they come. */
#define STORE_RECORD_CACHE_BYTES MIB(32)
/* The engine's log before it makes the oldest buffer go to a file. Replayed at the start. */
#define STORE_LOG_BYTES_MAX MIB(128)
/* Table files held open. A read of another one opens it first. */
#define STORE_OPEN_FILES_MAX 512
/* Space kept free: below the smaller of the two, writes are refused and reads go on. */
#define STORE_RESERVE_BYTES MIB(256)
#define STORE_RESERVE_FRACTION 100
/* Where more than this is free above it, the disk is not asked before each group but this often: to
 * get in between, others would have to fill it with 50 GB a second. */
#define STORE_ROOM_BYTES MIB(1024)
#define STORE_ROOM_LOOK_MS 20

/* A rebuild of a damaged family: what it reads and writes in a second, so that others go on; and in
 * one batch, as writes wait while one is made durable (and memory: three times that, or three times
 * the largest object). Simulator's extreme: none, the memory store has no files. */
#define STORE_REBUILD_BYTES_PER_S MIB(16)
#define STORE_REBUILD_BATCH_BYTES KIB(256)
/* When it failed (no space, an unreadable disk) it begins again this much later. */
#define STORE_REBUILD_RETRY_MS 10000
/* A failure in the background may be damage: all is read to find it, but not more often. */
#define STORE_LOOK_PAUSE_MS 600000
/* How long lost keys are damage still after a reader was told: within that time it must have made
 * durable that it does not vouch for them. */
#define STORE_LOST_TOLD_MS 1000

/* ---- the process ------------------------------------------------------------------------- */

/* One line of the log; a longer one is cut. */
#define LOG_LINE_BYTES_MAX KIB(4)
/* One text in the configuration (a path, an address). */
#define CONFIG_TEXT_BYTES_MAX 1024
/* How long a stopping process waits for the requests it has accepted. */
#define DRAIN_US SECONDS(15)
/* What the buffers of an idle connection keep, each way. */
#define BUFFER_KEEP_BYTES KIB(32)
/* Bytes asked from a socket at once, and read ahead while a request is in flight. */
#define CLIENT_READ_BYTES KIB(16)
#define CLIENT_AHEAD_BYTES KIB(64)
/* How often connections are looked over for silence; a timeout is late by at most this. */
#define CLIENT_SWEEP_US MS(100)
/* A connection that is closed with bytes unread is drained for so long, so that the client reads its
 * answer before it is reset (RFC 9112, section 9.6). */
#define CLIENT_LINGER_US SECONDS(2)
/* Processes of one `dunlin dev`. */
#define DEV_NODES_MAX 16
/* How long `dunlin dev` waits for its cluster to form, and then for its nodes to stop. */
#define DEV_READY_US SECONDS(60)
#define DEV_STOP_US SECONDS(20)
/* How long `dunlin drain` waits until nothing is left, and how often it asks. */
#define CLI_DRAIN_SECONDS 300
#define CLI_DRAIN_POLL_MS 200
/* What the command line's own HTTP client takes as an answer. */
#define CLI_REPLY_BYTES_MAX MIB(256)

/* ---- the load generator ------------------------------------------------------------------- */

/* Nodes it spreads over, connections (a descriptor and two buffers each), requests on the way on
 * one of them, and processes whose CPU time it reports. */
#define BENCH_TARGETS_MAX 64
#define BENCH_CONNECTIONS_MAX 4096
#define BENCH_PIPELINE_MAX 64
#define BENCH_PIDS_MAX 64
/* Keys; each costs BENCH_CONTEXT_CHARS_MAX + 3 bytes while it is written with contexts. A longer
 * context is not remembered, and the next write of the key reads it first. */
#define BENCH_KEYS_MAX 100000000UL
#define BENCH_CONTEXT_CHARS_MAX 125
#define BENCH_RATE_MAX 10000000UL
#define BENCH_SECONDS_MAX 86400UL
/* Head of an answer; a longer one is an error. */
#define BENCH_HEAD_BYTES_MAX KIB(64)
/* Reconnecting: first wait, and ceiling. How long connecting may take. */
#define BENCH_RETRY_US_MIN MS(10)
#define BENCH_RETRY_US_MAX MS(1000)
#define BENCH_CONNECT_US SECONDS(2)
/* The load of all keys before the measurement is given up after this long. */
#define BENCH_LOAD_US SECONDS(900)

/* ---- how they hang together -------------------------------------------------------------- */

static_assert(REPLICAS_MAX <= 8, "quorum masks are one byte");
static_assert(TARGETS_MAX >= 2 * REPLICAS_MAX, "every primary can be replaced once");
static_assert(TARGETS_MAX <= 32, "target masks are 32 bits");
static_assert(COORD_SLOTS_MAX <= 65536 && REPLICA_SLOTS_MAX <= 65536, "a ticket has 16 index bits");
static_assert(KEYS_IN_FLIGHT_MAX <= 65536, "a ticket has 16 index bits");
static_assert(4 * EFFECTS_PER_REQUEST_MAX <= EFFECTS_PER_STEP_MAX, "a step must make progress");
static_assert(TRACE_STEPS_MAX >= TRACE_STEPS_AT_ONCE_MAX, "what one step tells is kept");
static_assert(VALUE_BYTES_MAX + META_BYTES_MAX < OBJECT_BYTES_MAX, "a largest value can be stored");
static_assert(OBJECT_BYTES_MAX * 2 < MSG_BYTES_MAX, "a largest object can be sent");
static_assert(MSG_BYTES_MAX * 2 <= POOL_PIECE_BYTES_MAX, "a largest message can be held");
static_assert(HLC_RESERVE_MS < CLOCK_SKEW_MAX_MS, "a crash does not put a clock out of bounds");
static_assert(HLC_RESERVE_MS > HLC_RESERVE_AGAIN_MS,
              "the reserve is asked for before it is used up");
static_assert(STORE_GROUP_BYTES_MAX >= OBJECT_BYTES_MAX, "a largest object can be written");
static_assert(STORE_RESERVE_BYTES >= STORE_LOG_BYTES_MAX + STORE_BUFFER_BYTES,
              "what is in memory and in the log fits into the reserve");
static_assert(SILENCE_US > 2 * HEARTBEAT_US, "one lost heartbeat is not a death");
static_assert(2 * HTTP_LINE_BYTES_MAX + FULL_KEY_BYTES_MAX + CONTEXT_BYTES_MAX + META_BYTES_MAX +
                      2 * (HTTP_HEADER_BYTES_MAX + 2 * HTTP_HEADERS_MAX) + CONTEXT_BYTES_MAX +
                      2 * 16 * CONDITION_TAGS_MAX <=
                  HTTP_SCRATCH_BYTES,
              "no request exhausts the scratch");
static_assert((CONTEXT_BYTES_MAX + 2) / 3 * 4 + 64 < HTTP_LINE_BYTES_MAX,
              "a largest context fits a header line");
static_assert(SCAN_PAGE_BYTES < FRAME_BYTES_MAX,
              "a page of a scan is one frame unless one object is larger");

static_assert(PROPS_PAGE_BYTES_MAX < FRAME_BYTES_MAX, "a page of properties is one frame");
static_assert(BACKGROUND_BURST_BYTES > 2 * SCAN_PAGE_BYTES, "a page fits the budget");
static_assert(BACKGROUND_BYTES_PER_S_MIN > SCAN_PAGE_BYTES, "background work never stands still");
static_assert(HINT_SLOTS_MAX >= 4 * HINT_OPEN_MAX,
              "a node that is silent does not hold up the others");
static_assert(HINT_OPEN_MAX >= HINT_OPEN_FIRST && HINT_SLOTS_MAX <= 65536, "tickets, windows");
static_assert(HINT_TARGET_BYTES_PER_S <= BACKGROUND_BYTES_PER_S, "hints leave room for other work");

#endif
