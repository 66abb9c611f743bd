/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of commands, in the order in which help lists them
 */
#include <limits.h>
#include <string.h>

#include "riskhookctl/command.h"

const struct command commands[] = {
	{
		.name = "init",
		.run = cmd_init,
		.min_operands = 1,
		.max_operands = 1,
		.operands = "DIR",
		.accepts = "listen url-host service demo",
		.help = "write a ready configuration into DIR",
		.details = "A self-signed certificate, random credentials, an example hook and two "
			   "handlers that\ncall it. Nothing that is there is overwritten.",
		.example =
			"riskhookctl init /tmp/riskhook\n"
			"  riskhookctl init /etc/riskhookd --service --url-host hooks.example.com",
	},
	{
		.name = "dashboard",
		.run = cmd_dashboard,
		.needs = NEEDS_SECRETS,
		.operands = "",
		.accepts = "url-host json",
		.help = "print what to type into the RiskOS Dashboard",
		.details = "Prints the secrets. A credential of which only the hash is configured "
			   "cannot be shown.",
		.example = "riskhookctl dashboard --url-host hooks.example.com",
	},
	{
		.name = "trigger",
		.run = cmd_trigger,
		.needs = NEEDS_SECRETS,
		.offline = "list print",
		.max_operands = 1,
		.operands = "[TYPE]",
		.accepts = "set file as count endpoint url token-url client-id client-secret-file "
			   "bearer-file list print same-id json",
		.help = "post a sample event to the daemon, as RiskOS would",
		.details =
			"Each event gets new ids and the current time. Fails unless every answer "
			"is 200.\nFor a credential of type oauth_client a token is fetched first, "
			"as RiskOS does. When\nan identity provider issues the tokens, say with "
			"--token-url or --bearer-file how to\nget one.",
		.example = "riskhookctl trigger evaluation_completed --set data.decision=REVIEW\n"
			   "  riskhookctl trigger --file body.json --as dashboard-bearer\n"
			   "  riskhookctl trigger decision_update --count 100\n"
			   "  riskhookctl trigger evaluation_paused --token-url "
			   "https://idp.example.com/token \\\n"
			   "      --client-id riskos --client-secret-file secret",
	},
	{
		.name = "events",
		.run = cmd_events,
		.needs = NEEDS_PLACES,
		.operands = "",
		.accepts = "type category eval-id customer-id decision status workflow environment "
			   "since until test no-test limit follow json",
		.help = "list the events that were received",
		.details =
			"Without --json some columns are left out. --follow goes on until Ctrl-C "
			"and works\nwithout the daemon, too.",
		.example = "riskhookctl events --decision REVIEW --since 24h\n"
			   "  riskhookctl events --follow --json",
	},
	{
		.name = "show",
		.run = cmd_show,
		.needs = NEEDS_PLACES,
		.min_operands = 1,
		.max_operands = 1,
		.operands = "SEQ|EVENT_ID",
		.accepts = "payload json",
		.help = "one event with its deliveries and attempts",
		.details =
			"With --json the deliveries are the member `deliveries`, the attempts of "
			"each its\nmember `history`. --payload prints the body exactly as it came.",
		.example = "riskhookctl show 17\n  riskhookctl show 17 --payload | jq .data",
	},
	{
		.name = "evaluation",
		.run = cmd_evaluation,
		.needs = NEEDS_PLACES,
		.min_operands = 1,
		.max_operands = 1,
		.operands = "EVAL_ID",
		.accepts = "json",
		.help = "the state of an evaluation and its time line",
		.details =
			"The state is the newest by the events' own times. With --json the events "
			"are the\nmember `timeline`.",
		.example = "riskhookctl evaluation 11111111-2222-4333-8444-555555555555",
	},
	{
		.name = "deliveries",
		.run = cmd_deliveries,
		.needs = NEEDS_PLACES,
		.operands = "",
		.accepts = "state handler eval-id since limit json",
		.help = "list deliveries: one event for one handler each",
		.example = "riskhookctl deliveries --state dead --since 7d",
	},
	{
		.name = "attempts",
		.run = cmd_attempts,
		.needs = NEEDS_PLACES,
		.min_operands = 1,
		.max_operands = 1,
		.operands = "DELIVERY",
		.accepts = "json",
		.help = "every try of a delivery, with the handler's output",
		.example = "riskhookctl attempts 812",
	},
	{
		.name = "retry",
		.run = cmd_retry,
		.needs = NEEDS_PLACES,
		.max_operands = INT_MAX,
		.operands = "[DELIVERY...]",
		.accepts = "handler state json",
		.help = "let deliveries be tried again now",
		.details = "Dead ones become pending, and pending ones are due at once; retry_for "
			   "begins anew.\nWith --handler every dead delivery of that handler.",
		.example = "riskhookctl retry 812 815\n"
			   "  riskhookctl retry --handler review --state dead",
	},
	{
		.name = "replay",
		.run = cmd_replay,
		.needs = NEEDS_PLACES,
		.operands = "",
		.accepts = "handler seq since until type eval-id json",
		.help = "let a handler have events again",
		.details = "Makes new deliveries, marked as replay, of those events that the "
			   "handler's "
			   "own filters\nmatch. The daemon does it in batches and goes on after "
			   "Ctrl-C.",
		.example = "riskhookctl replay --handler ledger --seq 100-200\n"
			   "  riskhookctl replay --handler ledger --since 24h "
			   "--type decision_update",
	},
	{
		.name = "pause",
		.run = cmd_pause,
		.needs = NEEDS_PLACES,
		.min_operands = 1,
		.max_operands = 1,
		.operands = "HANDLER",
		.accepts = "json",
		.help = "begin no more deliveries of a handler",
		.details = "What runs goes on to its end; what comes waits. Survives a restart.",
		.example = "riskhookctl pause ledger",
	},
	{
		.name = "resume",
		.run = cmd_resume,
		.needs = NEEDS_PLACES,
		.min_operands = 1,
		.max_operands = 1,
		.operands = "HANDLER",
		.accepts = "json",
		.help = "end a pause",
		.example = "riskhookctl resume ledger",
	},
	{
		.name = "hold",
		.run = cmd_hold,
		.needs = NEEDS_PLACES,
		.min_operands = 1,
		.max_operands = INT_MAX,
		.operands = "DELIVERY...",
		.accepts = "json",
		.help = "keep pending deliveries back",
		.details = "Later events of the same evaluation wait too, unless order = none.",
		.example = "riskhookctl hold 812",
	},
	{
		.name = "release",
		.run = cmd_release,
		.needs = NEEDS_PLACES,
		.max_operands = INT_MAX,
		.operands = "[DELIVERY...]",
		.accepts = "handler json",
		.help = "let held deliveries go on",
		.details = "With --handler every held delivery of that handler.",
		.example = "riskhookctl release 812",
	},
	{
		.name = "dismiss",
		.run = cmd_dismiss,
		.needs = NEEDS_PLACES,
		.max_operands = INT_MAX,
		.operands = "[DELIVERY...]",
		.accepts = "handler state json",
		.help = "give deliveries up that nobody will make any more",
		.details =
			"Pending and held ones become dead; of dead ones, nobody is reminded "
			"any more.\nWith --handler every dead delivery of that handler, which may "
			"be gone from the\nconfiguration, or with --state its pending or held "
			"ones.",
		.example = "riskhookctl dismiss 812\n"
			   "  riskhookctl dismiss --handler gone --state pending",
	},
	{
		.name = "quarantine",
		.run = cmd_quarantine,
		.needs = NEEDS_PLACES,
		.max_operands = 1,
		.operands = "[N]",
		.accepts = "payload limit json",
		.help = "list bodies that are not one JSON object",
		.details = "With N that one alone; --payload prints its body.",
		.example = "riskhookctl quarantine\n  riskhookctl quarantine 3 --payload | xxd",
	},
	{
		.name = "conflicts",
		.run = cmd_conflicts,
		.needs = NEEDS_PLACES,
		.max_operands = 1,
		.operands = "[N]",
		.accepts = "payload limit json",
		.help = "list bodies that came under the key of another event",
		.details =
			"The first body stays the event. With N that one alone; --payload prints "
			"its body.",
		.example = "riskhookctl conflicts\n  riskhookctl conflicts 2 --payload",
	},
	{
		.name = "token",
		.run = cmd_token,
		.needs = NEEDS_PLACES,
		.min_operands = 1,
		.max_operands = 2,
		.operands = "list|revoke [ID]",
		.accepts = "credential json",
		.help = "list or revoke access tokens that the daemon has issued",
		.details = "revoke takes one token by its ID, or all of a credential. It holds at "
			   "once.",
		.example = "riskhookctl token list\n"
			   "  riskhookctl token revoke 1f0a2b3c4d5e\n"
			   "  riskhookctl token revoke --credential dashboard-oauth",
	},
	{
		.name = "status",
		.run = cmd_status,
		.needs = NEEDS_PLACES,
		.operands = "",
		.accepts = "json",
		.help = "ask the running daemon how it is",
		.example = "riskhookctl status",
	},
	{
		.name = "reload",
		.run = cmd_reload,
		.needs = NEEDS_PLACES,
		.tells_fault = true,
		.operands = "",
		.accepts = "",
		.help = "let the running daemon read its configuration again",
		.details =
			"Certificates, credentials, endpoints, handlers and limits. An error "
			"keeps the old ones.\nOptions that need a restart are named. SIGHUP does "
			"the same.",
		.example = "riskhookctl reload",
	},
	{
		.name = "stats",
		.run = cmd_stats,
		.needs = NEEDS_PLACES,
		.operands = "",
		.accepts = "since until json",
		.help = "counts and rates by type, decision and handler",
		.details = "Over the last 24 hours, unless --since says otherwise. The daemon need "
			   "not run.",
		.example = "riskhookctl stats --since 7d",
	},
	{
		.name = "doctor",
		.run = cmd_doctor,
		.needs = NEEDS_PLACES,
		.tells_fault = true,
		.operands = "",
		.accepts = "full json",
		.help = "look for what is wrong, or will be soon",
		.details = "Certificate, credentials, file modes, store, disk, clock, queues, "
			   "daemon, identity\n"
			   "providers. "
			   "Each finding says what to do. Exit code 1 when there is a problem;\n"
			   "warnings alone are 0.",
		.example = "riskhookctl doctor\n"
			   "  riskhookctl doctor --json | jq 'select(.level != \"ok\")'",
	},
	{
		.name = "backup",
		.run = cmd_backup,
		.needs = NEEDS_PLACES,
		.min_operands = 1,
		.max_operands = 1,
		.operands = "FILE",
		.accepts = "force json",
		.help = "copy the store into FILE, whether the daemon runs or not",
		.details = "The copy is one consistent state, checked, mode 0600, and a store "
			   "itself: to restore it,\nstop riskhookd, remove events.db-wal and "
			   "events.db-shm, and put it in the place of\nevents.db.",
		.example = "riskhookctl backup /var/backups/riskhook-$(date +%F).db",
	},
	{
		.name = "vacuum",
		.run = cmd_vacuum,
		.needs = NEEDS_PLACES,
		.operands = "",
		.accepts = "force",
		.help = "make the store's file smaller; riskhookd must be stopped",
		.details = "Pays after retention has erased much for the first time. Free space is "
			   "used again by\nnew events in any case.",
		.example = "systemctl stop riskhookd && riskhookctl vacuum; systemctl start "
			   "riskhookd",
	},
	{
		.name = "log-level",
		.run = cmd_log_level,
		.needs = NEEDS_PLACES,
		.min_operands = 1,
		.max_operands = 1,
		.operands = "LEVEL",
		.accepts = "",
		.help = "change what the running daemon logs",
		.details = "error, warning, notice, info or debug. SIGUSR1 switches between the "
			   "level and debug, too.",
		.example = "riskhookctl log-level debug",
	},
	{
		.name = "check-config",
		.run = cmd_check_config,
		.needs = NEEDS_SECRETS,
		.operands = "",
		.accepts = "",
		.help = "validate the configuration and its secret files",
		.details = "'riskhookd --check' also loads the certificate and the keys that it "
			   "names.",
		.example = "riskhookctl -c ./riskhookd.conf check-config",
	},
	{
		.name = "hash-secret",
		.run = cmd_hash_secret,
		.operands = "",
		.accepts = "token",
		.help = "make a password_hash or token_hash line of a secret",
		.details =
			"Reads the secret from the terminal without showing it, or from standard "
			"input.",
		.example = "riskhookctl hash-secret\n"
			   "  riskhookctl hash-secret --token < riskos-token",
	},
};

const size_t n_commands = ARRAY_SIZE(commands);

const struct command *command_find(const char *name)
{
	for (size_t i = 0; i < n_commands; i++) {
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	}
	return NULL;
}
