/* libevent.h - libevent, whose handle is called `struct event`, as is what happens to a node
 * (dunlin/event.h). Here its handle is `struct libevent_event`. Include this, never event2/event.h. */
#ifndef DUNLIN_DRIVE_LIBEVENT_H
#define DUNLIN_DRIVE_LIBEVENT_H

#define event libevent_event
#include <event2/event.h>
#include <event2/listener.h>
#undef event

#endif
