/* props_json.h - the document that changes bucket properties: {"props":{"PROPERTY":VALUE,...}}.
 *
 * Booleans may be the texts "true" and "false"; quorum values are numbers or one, quorum, all. What
 * cannot be changed (a name, functions of other stores) is passed over, so that a document that was
 * read can be sent back whole. */
#ifndef DUNLIN_DRIVE_PROPS_JSON_H
#define DUNLIN_DRIVE_PROPS_JSON_H

#include "drive/buffer.h"
#include "dunlin/props.h"

struct props_document {
	uint32_t count;
	struct prop_change changes[PROP_COUNT]; /* each property once, each value one that fits */
};

enum props_json_verdict {
	PROPS_JSON_READ,
	PROPS_JSON_NONE, /* it is no such document */
	PROPS_JSON_WRONG /* `wrong` is a JSON object of property and code */
};

enum props_json_verdict props_json_read(struct bytes body, struct props_document *out,
                                        struct buffer *wrong);

#endif
