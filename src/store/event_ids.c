/* SPDX-License-Identifier: Apache-2.0 */
#include "store/event_ids.h"

#include "store/writer_private.h"

int event_ids_write(struct writer *w, int64_t seq)
{
	int64_t run = seq / EVENT_IDS_RUN_N;

	if (run <= w->run)
		return 0;
	w->run = run;
	return writer_do(w, EVENT_IDS_INSERT, "i", seq);
}
