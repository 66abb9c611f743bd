/* SPDX-License-Identifier: Apache-2.0 */
#include "jq/host.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include "core/clock.h"
#include "core/log.h"
#include "jq/fault.h"
#include "jq/wire.h"
#include "util/macros.h"
#include "util/spawn.h"
#include "util/thread.h"

#define RUNS_MAX 100000 /* then a new process: whatever libjq leaks goes with the old one */
#define SELF     "/proc/self/exe" /* also when the file has been replaced by an upgrade */

struct host {
	/* all under mx */
	pthread_mutex_t mx;
	pid_t pid; /* 0: no process */
	int in_fd, out_fd;
	int n_runs;
	struct slice body;
	bool has_sent_body;

	size_t n_programs;
	struct {
		struct host_program program;
		uint32_t run_ms;
		int64_t less_until_ms; /* then it gets HOST_RUN_MS again */
	} programs[];
};

int host_new(const struct host_program *programs, size_t n, struct host **ret_host)
{
	struct host *host = calloc(1, sizeof(*host) + n * sizeof(host->programs[0]));

	if (!host)
		return -ENOMEM;
	host->mx = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
	host->in_fd = -1;
	host->out_fd = -1;
	host->n_programs = n;
	for (size_t i = 0; i < n; i++) {
		host->programs[i].program = programs[i];
		host->programs[i].run_ms = HOST_RUN_MS;
	}
	*ret_host = host;
	return 0;
}

/* --- the process --- */

static void end_process(struct host *host)
{
	host->in_fd = fd_close(host->in_fd);
	host->out_fd = fd_close(host->out_fd);
	if (host->pid > 0) {
		(void)kill(-host->pid, SIGKILL);   /* with its fork; it holds nothing */
		(void)waitpid(host->pid, NULL, 0); /* only to leave no zombie */
	}
	host->pid = 0;
	host->n_runs = 0;
	host->has_sent_body = false;
}

void host_free(struct host *host)
{
	if (!host)
		return;
	end_process(host);
	(void)pthread_mutex_destroy(&host->mx); /* nobody holds it any more */
	free(host);
}

/* own group, so that a Ctrl-C for the daemon does not end it before the daemon is through */
static int start(const struct host *host, int in_fd, int out_fd, pid_t *ret_pid)
{
	char name[] = "riskhookd-jq", argument[] = WIRE_ARGUMENT, count[24], memory[24];
	char *argv[] = {name, argument, count, memory, NULL}, *envp[] = {NULL};
	const struct spawn_request request = {.path = SELF,
					      .argv = argv,
					      .envp = envp,
					      .in_fd = in_fd,
					      .out_fd = out_fd,
					      .err_fd = -1};

	/* both arrays hold the longest number */
	(void)snprintf(count, sizeof(count), "%zu", host->n_programs);
	(void)snprintf(memory, sizeof(memory), "%lld", HOST_MEMORY);
	return spawn(&request, ret_pid);
}

/* --- messages, each with a deadline --- */

static int wait_for(int fd, short events, int64_t deadline_ms)
{
	struct pollfd poll_fd = {.fd = fd, .events = events};
	int64_t left = deadline_ms - clock_monotonic_ms();
	int r;

	if (left <= 0)
		return -ETIMEDOUT;
	r = poll(&poll_fd, 1, (int)MIN_OF(left, INT_MAX));
	return r < 0 && errno != EINTR ? -errno : 0; /* otherwise the caller tries, and sees */
}

static int send_bytes(struct host *host, const void *p, size_t n, int64_t deadline_ms)
{
	size_t done = 0;
	int r = 0;

	while (r == 0 && done < n) {
		ssize_t k = write(host->in_fd, (const char *)p + done, n - done);

		if (k > 0)
			done += (size_t)k;
		else if (errno == EAGAIN)
			r = wait_for(host->in_fd, POLLOUT, deadline_ms);
		else if (errno != EINTR)
			r = -errno;
	}
	return r;
}

static int receive_bytes(struct host *host, void *p, size_t n, int64_t deadline_ms)
{
	size_t done = 0;
	int r = 0;

	while (r == 0 && done < n) {
		ssize_t k = read(host->out_fd, (char *)p + done, n - done);

		if (k > 0)
			done += (size_t)k;
		else if (k == 0)
			r = -EPIPE;
		else if (errno == EAGAIN)
			r = wait_for(host->out_fd, POLLIN, deadline_ms);
		else if (errno != EINTR)
			r = -errno;
	}
	return r;
}

static int send_message(struct host *host, const struct wire *wire, const void *p,
			int64_t deadline_ms)
{
	int r = send_bytes(host, wire, sizeof(*wire), deadline_ms);

	return r < 0 || wire->n == 0 ? r : send_bytes(host, p, wire->n, deadline_ms);
}

/* --- start --- */

static int64_t new_deadline(void)
{
	return clock_monotonic_ms() + HOST_WALL_MS;
}

static int open_process(struct host *host)
{
	int in[2], out[2], r;

	if (pipe2(in, O_CLOEXEC) < 0)
		return -errno;
	if (pipe2(out, O_CLOEXEC) < 0) {
		r = -errno;
		(void)fd_close(in[0]);
		(void)fd_close(in[1]);
		return r;
	}
	host->in_fd = in[1];
	host->out_fd = out[0];
	r = fd_set_nonblock(in[1]);
	if (r == 0)
		r = fd_set_nonblock(out[0]);
	if (r == 0)
		r = start(host, in[0], out[1], &host->pid);
	(void)fd_close(in[0]);
	(void)fd_close(out[1]);
	return r;
}

/* jq's message without "jq: error: " and without its further lines */
static int refused(struct host *host, uint32_t n, struct error *e)
{
	char text[WIRE_REFUSED_MAX + 1];
	const char *start = text;
	int r;

	if (n > WIRE_REFUSED_MAX)
		return -EPROTO;
	r = receive_bytes(host, text, n, new_deadline());
	if (r < 0)
		return r;
	text[n] = '\0';
	text[strcspn(text, "\n")] = '\0';
	if (strncmp(start, "jq: error: ", 11) == 0)
		start += 11;
	return error_set(e, -EINVAL, "%s", start);
}

/* Return: 0, -EINVAL when it is refused, or another negative errno */
static int send_program(struct host *host, const struct host_program *program, struct error *e)
{
	struct wire wire = {.kind = WIRE_PROGRAM,
			    .n = (uint32_t)strlen(program->text),
			    .b = program->is_transform};
	int r;

	r = send_message(host, &wire, program->text, new_deadline());
	if (r == 0)
		r = receive_bytes(host, &wire, sizeof(wire), new_deadline());
	if (r == 0 && wire.kind == WIRE_REFUSED)
		return refused(host, wire.n, e);
	if (r == 0 && wire.kind != WIRE_COMPILED)
		r = -EPROTO;
	return r;
}

/* a process that has all programs; Return: as host_compile() */
static int start_process(struct host *host, size_t *ret_index, struct error *e)
{
	int r = open_process(host);

	if (r < 0) {
		end_process(host);
		return error_set(e, r, "cannot start a process for jq: %s", error_name(r));
	}
	for (size_t i = 0; r == 0 && i < host->n_programs; i++) {
		*ret_index = i;
		r = send_program(host, &host->programs[i].program, e);
	}
	if (r < 0)
		end_process(host);
	/* it ended: libjq did not survive the program */
	if (r == -EPIPE)
		return error_set(e, -EINVAL, "jq cannot compile it");
	if (r < 0 && r != -EINVAL)
		return error_set(e, r, "no answer from jq: %s", error_name(r));
	return r;
}

int host_compile(struct host *host, size_t *ret_index, struct error *e)
{
	int r = 0;

	mutex_lock(&host->mx);
	*ret_index = 0;
	if (host->pid == 0)
		r = start_process(host, ret_index, e);
	mutex_unlock(&host->mx);
	return r;
}

/* --- runs --- */

/* Return: how much processor time the program may use now, ms; see the header */
static uint32_t allowance(struct host *host, size_t index)
{
	if (clock_monotonic_ms() >= host->programs[index].less_until_ms)
		host->programs[index].run_ms = HOST_RUN_MS;
	return host->programs[index].run_ms;
}

/* under mx */
static int ask(struct host *host, size_t index, struct wire *answer)
{
	int64_t deadline_ms = new_deadline();
	struct wire body = {.kind = WIRE_BODY, .n = (uint32_t)host->body.n};
	struct wire run = {.kind = WIRE_RUN, .a = (uint32_t)index, .c = allowance(host, index)};
	int r = 0;

	if (!host->has_sent_body)
		r = send_message(host, &body, host->body.p, deadline_ms);
	host->has_sent_body = true;
	if (r == 0)
		r = send_message(host, &run, NULL, deadline_ms);
	if (r == 0)
		r = receive_bytes(host, answer, sizeof(*answer), deadline_ms);
	if (r == 0 && (answer->kind != WIRE_RESULT || answer->n > WIRE_OUTPUT_MAX))
		r = -EPROTO;
	return r;
}

/* under mx; Return: 0, or a negative errno and there is no process any more */
static int ask_once(struct host *host, size_t index, struct wire *answer)
{
	size_t refused_index;
	int r = 0;

	if (host->n_runs >= RUNS_MAX)
		end_process(host);
	if (host->pid == 0)
		r = start_process(host, &refused_index, NULL);
	if (r == 0)
		r = ask(host, index, answer);
	host->n_runs++;
	if (r < 0)
		end_process(host);
	return r;
}

/* the program has run */
static void judge(struct host *host, size_t index, int fault)
{
	uint32_t *run_ms = &host->programs[index].run_ms;

	if (fault == FAULT_TIME && *run_ms == HOST_RUN_MS)
		host->programs[index].less_until_ms = clock_monotonic_ms() + HOST_RUN_LESS_MS;
	if (fault == FAULT_TIME)
		*run_ms = MAX_OF(*run_ms / 2, HOST_RUN_LEAST_MS);
	else if (fault == FAULT_NONE)
		*run_ms = HOST_RUN_MS;
	/* the fork that had the body has ended */
	if (fault == FAULT_TIME || fault == FAULT_CRASH)
		host->has_sent_body = false;
}

/* under mx; Return: as host_filter() */
static int run(struct host *host, size_t index, struct wire *answer, int *ret_fault)
{
	int r = ask_once(host, index, answer);

	/* somebody may have ended the idle process: once more with a new one */
	if (r == -EPIPE || r == -ECONNRESET)
		r = ask_once(host, index, answer);
	if (r == -ETIMEDOUT) {
		*ret_fault = FAULT_SILENT;
		return -EBADMSG;
	}
	if (r < 0)
		return r;
	*ret_fault = (int)answer->b;
	judge(host, index, *ret_fault);
	return *ret_fault == FAULT_NONE ? 0 : -EBADMSG;
}

void host_set_body(struct host *host, struct slice body)
{
	mutex_lock(&host->mx);
	host->body = body;
	host->has_sent_body = false;
	mutex_unlock(&host->mx);
}

int host_filter(struct host *host, size_t index, int *ret_fault)
{
	struct wire answer = {.kind = 0};
	int r;

	mutex_lock(&host->mx);
	r = run(host, index, &answer, ret_fault);
	if (r == 0 && answer.n > 0) { /* not an answer to a filter */
		end_process(host);
		r = -EPROTO;
	}
	mutex_unlock(&host->mx);
	return r < 0 ? r : answer.a == 1;
}

/* under mx */
static int receive_output(struct host *host, size_t n, struct buf *out)
{
	int r = buf_reserve(out, n);

	if (r == 0)
		r = receive_bytes(host, out->p + out->n, n, new_deadline());
	if (r < 0) {
		end_process(host); /* in the middle of an answer */
		return r;
	}
	out->n += n;
	out->p[out->n] = '\0';
	return 0;
}

int host_transform(struct host *host, size_t index, struct slice body, struct buf *out,
		   int *ret_fault)
{
	struct wire answer = {.kind = 0};
	int r;

	mutex_lock(&host->mx);
	host->body = body;
	host->has_sent_body = false;
	r = run(host, index, &answer, ret_fault);
	if (r == 0)
		r = receive_output(host, answer.n, out);
	host->body = SLICE_NULL; /* the caller's */
	mutex_unlock(&host->mx);
	return r;
}
