/* msg.h - messages between nodes as bytes, and back. Pure: no memory of its own, no I/O.
 *
 * One message is one msgpack array [type, id, epoch, hlc, fields of the type...], in the canonical
 * subset of base/cursor.h, so that one message has one encoding. docs/WIRE.md has the tables. */
#ifndef DUNLIN_WIRE_MSG_H
#define DUNLIN_WIRE_MSG_H

#include "base/cursor.h"
#include "dunlin/msg.h"

/* Run it with capacity 0 to learn the length, then with room. */
void msg_pack(struct packer *p, const struct msg *m);

/* ERR_OK, or ERR_BAD_BYTES for everything that msg_pack would not have written: nothing of *out is
 * to be used then. Views in *out borrow from `in`, the entries of a MSG_SCAN_REPLY are in `entries`,
 * which has room for SCAN_PAGE_ENTRIES_MAX. Promised of a message that is accepted: every length is
 * within limits.h, every enum and partition in range, every key three well-formed parts (that the
 * hash in a store key is the key's is not checked), the entries of a page in strictly rising order. */
enum err msg_unpack(struct bytes in, struct msg *out, struct scan_entry *entries);

#endif
