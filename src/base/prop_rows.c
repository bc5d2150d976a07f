/* prop_rows.c - the table of bucket properties (dunlin/props.h) as rows. */
#include "base/bytes.h"
#include "dunlin/props.h"

static const struct prop_row rows[PROP_COUNT] = {
#define X(name, kind, least, most, value, help) {#name, help, PROP_##kind, least, most, value},
	PROPS(X)
#undef X
};

struct prop_row prop_row(unsigned prop)
{
	return rows[prop < PROP_COUNT ? prop : 0];
}

unsigned prop_find(struct bytes name)
{
	unsigned i = 0;
	/* A name of the table is compared byte by byte: no library call for its length. */
	for (; i < PROP_COUNT; i++) {
		size_t len = 0;
		while (rows[i].name[len] != '\0') len++;
		if (bytes_equal(name, bytes_of(rows[i].name, len))) break;
	}
	return i;
}

bool prop_fits(unsigned prop, int64_t value)
{
	struct prop_row r = prop_row(prop);
	if (prop >= PROP_COUNT) return false;
	if (r.kind == PROP_QUORUM && value < 0)
		return value == QUORUM_ONE || value == QUORUM_QUORUM || value == QUORUM_ALL;
	return value >= r.least && value <= r.most;
}
