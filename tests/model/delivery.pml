/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of deliveries as store, dispatcher and operator make it, for spin
 *
 * Two deliveries of one evaluation and one handler, made one after the other. Every step is a
 * transaction, as in the store; a crash may come between any two of them, at most CRASHES times.
 * The handler's own view is `sees`: which delivery it has been given and has not answered.
 *
 * Checked: the handler never has two at once; the second is never begun before the first has come
 * to an end (done or dead) at least once; exactly one live delivery has the turn, if there is any;
 * and (never deadlocked, fair) everything ends.
 *
 *	spin -a delivery.pml && cc -o pan pan.c && ./pan -a -f
 *
 * -DMISTAKE=1 forgets to pass the turn, 2 gives it to everybody, 3 lets a retried delivery take it
 * beside the one that runs, 4 forgets the deliveries that ran when the daemon died: each must be
 * found.
 */
#ifndef MISTAKE
#define MISTAKE 0
#endif

#define N       2
#define CRASHES 2
#define RETRIES 2 /* attempts that fail for now, and retries by the operator */

mtype = { NONE, PENDING, RUNNING, DONE, DEAD, HELD };

/* the store: survives a crash */
mtype state[N] = NONE;
bool ready[N];
bool has_ended[N]; /* once, at least */

/* memory: lost in a crash */
byte n_sees; /* deliveries that the handler has now */
bool sees[N];
bool result[N]; /* it has answered; not yet committed */

byte crashes, failures, retries, holds;
bool pausing; /* the operator's pause */

#define LIVE(i)  (state[i] == PENDING || state[i] == RUNNING || state[i] == HELD)
#define ENDED(i) (state[i] == DONE || state[i] == DEAD)
#define ANY_LIVE (LIVE(0) || LIVE(1))
#define ALL_ENDED (ENDED(0) && ENDED(1))

/* within the transaction that ends delivery i */
inline pass_turn(i)
{
	if
	:: MISTAKE != 1 && ready[i] ->
		if
		:: LIVE(0) -> ready[0] = true
		:: !LIVE(0) && LIVE(1) -> ready[1] = true
		:: else
		fi
	:: else
	fi;
	ready[i] = false
}

inline route(i)
{
	state[i] = PENDING;
	ready[i] = MISTAKE == 2 || !(LIVE(1 - i))
}

/* begin: committed first, then the handler gets it */
inline begin(i)
{
	state[i] = RUNNING;
	assert(i == 0 || has_ended[0]); /* no inversion */
	sees[i] = true;
	n_sees++;
	assert(n_sees == 1) /* no overlap */
}

inline finish(i, next)
{
	state[i] = next;
	sees[i] = false;
	result[i] = false;
	n_sees--;
	if
	:: next == DONE || next == DEAD -> has_ended[i] = true; pass_turn(i)
	:: else
	fi
}

#define TURN_IS_RIGHT (!ANY_LIVE || (ready[0] && LIVE(0)) + (ready[1] && LIVE(1)) == 1)

inline crash()
{
	crashes++;
	n_sees = 0;
	sees[0] = false;
	sees[1] = false;
	result[0] = false;
	result[1] = false;
	/* recovery, before anything else */
	if
	:: MISTAKE != 4 && state[0] == RUNNING -> state[0] = PENDING
	:: else
	fi;
	if
	:: MISTAKE != 4 && state[1] == RUNNING -> state[1] = PENDING
	:: else
	fi
}

active proctype router()
{
	d_step { route(0); assert(TURN_IS_RIGHT) };
	d_step { route(1); assert(TURN_IS_RIGHT) }
}

active [N] proctype dispatcher()
{
	byte me = _pid - 1;

end:
	do
	:: d_step { state[me] == PENDING && ready[me] && !pausing -> begin(me) }
	:: d_step { state[me] == RUNNING && sees[me] && !result[me] -> result[me] = true }
	:: d_step { result[me] -> finish(me, DONE); assert(TURN_IS_RIGHT) }
	:: d_step { result[me] -> finish(me, DEAD); assert(TURN_IS_RIGHT) }
	:: d_step {
		result[me] && failures < RETRIES ->
		failures++;
		finish(me, PENDING);
		assert(TURN_IS_RIGHT)
	   }
	od
}

active proctype operator()
{
	byte i;

end:
	do
	:: i = 0
	:: i = 1
	:: d_step {
		state[i] == DEAD && retries < RETRIES ->
		retries++;
		state[i] = PENDING;
		ready[i] = MISTAKE == 3 || !(LIVE(1 - i));
		assert(TURN_IS_RIGHT)
	   }
	:: d_step { state[i] == PENDING && holds < 1 -> holds++; state[i] = HELD }
	:: d_step { state[i] == HELD -> state[i] = PENDING; assert(TURN_IS_RIGHT) }
	:: d_step { /* dismissed */
		state[i] == PENDING || state[i] == HELD ->
		state[i] = DEAD;
		has_ended[i] = true;
		pass_turn(i);
		assert(TURN_IS_RIGHT)
	   }
	:: !pausing && holds < 2 -> holds++; pausing = true
	:: pausing -> pausing = false
	od
}

active proctype power()
{
end:
	do
	:: d_step { crashes < CRASHES -> crash(); assert(TURN_IS_RIGHT) }
	od
}

/* everything ends, if the operator does not hold or pause for ever */
ltl all_end { (<>[](!pausing && state[0] != HELD && state[1] != HELD)) -> <>[]ALL_ENDED }
