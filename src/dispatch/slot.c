/* SPDX-License-Identifier: Apache-2.0 */
#include "dispatch/slot.h"

#include <errno.h>
#include <stdlib.h>

int slot_new(struct config *snapshot, const struct handler_config *config,
	     const struct slot_callbacks *callbacks, struct slot **ret_slot, struct error *e)
{
	_cleanup_(slot_freep)
	struct slot *slot = calloc(1, sizeof(*slot));
	struct handler_callbacks for_handler;
	int r;

	if (!slot)
		return error_set(e, -ENOMEM, "out of memory");
	list_init(&slot->member);
	slot->owner = callbacks->owner;
	slot->snapshot = config_ref(snapshot);
	slot->config = config;
	for_handler = (struct handler_callbacks){
		.on_done = callbacks->on_done, .on_room = callbacks->on_room, .arg = slot};
	r = handler_new(config, &for_handler, &slot->handler, e);
	if (r < 0)
		return r;
	*ret_slot = steal_ptr(&slot);
	return 0;
}

void slot_free(struct slot *slot)
{
	if (!slot)
		return;
	if (slot->handler) {
		handler_stop(slot->handler);
		handler_free(slot->handler);
	}
	config_free(slot->snapshot);
	free(slot);
}
