#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# An unattended tour: starts riskhookd on a free port, posts samples of every category as RiskOS
# would, shows what was kept and what the handlers did, stops it. Exit status 0 when everything was
# as it should be.
#
# environment: RISKHOOK_BUILD, the folder of the two programs (default: build)
set -u

cd "$(dirname "$0")/.." || exit 1
build=${RISKHOOK_BUILD:-build}
python=${PYTHON:-/usr/bin/python3}
wait_seconds=30

mkdir -p build
folder=$(mktemp -d build/demo.XXXXXX) || exit 1
conf=$folder/riskhookd.conf
log=$folder/riskhookd.log
eval_id=demo-$$-$(date +%s)
daemon=
failed=0

finish() {
    [ -z "$daemon" ] || kill -KILL "$daemon" 2>/dev/null
    if [ "$failed" -eq 0 ]; then
        rm -rf "$folder"
    else
        echo "demo: configuration, store and log are left in $folder" >&2
    fi
}
trap finish EXIT

say() {
    printf '\n== %s\n' "$*"
}

# expect WHAT COMMAND...: the command must succeed
expect() {
    local what=$1
    shift
    if "$@"; then
        echo "   ok: $what"
    else
        echo "   NOT AS EXPECTED: $what" >&2
        failed=1
    fi
}

give_up() {
    echo "demo: $*" >&2
    [ ! -s "$log" ] || tail -n 20 "$log" >&2
    failed=1
    exit 1
}

ctl() {
    "$build/riskhookctl" -c "$conf" "$@"
}

# the last value of an option in a section of the configuration: option 'credential NAME' KEY
option() {
    awk -v section="[$1]" -v key="$2" '
        /^\[/ { here = ($0 == section) }
        here && $1 == key && $2 == "=" { value = $3 }
        END { print value }' "$conf"
}

# of JSON lines on stdin: how many match a Python expression about `o`?
count() {
    "$python" -c '
import json, sys
print(sum(bool(eval(sys.argv[1], {"o": json.loads(line)})) for line in sys.stdin if line.strip()))
' "$1"
}

# is the number of lines that match what it should be? has N EXPRESSION COMMAND...
has() {
    local wanted=$1 expression=$2
    shift 2
    [ "$(ctl "$@" --json | count "$expression")" = "$wanted" ]
}

# wait_until WHAT COMMAND...: try again until it succeeds, for wait_seconds at most
wait_until() {
    local what=$1 end=$((SECONDS + wait_seconds))
    shift
    until "$@"; do
        [ -z "$daemon" ] || kill -0 "$daemon" 2>/dev/null || give_up "riskhookd ended early"
        [ "$SECONDS" -lt "$end" ] || give_up "no sign of it within $wait_seconds s: $what"
        sleep 0.1
    done
}

url_in_log() {
    grep -Eo 'listening on https://127\.0\.0\.1:[0-9]+' "$log" 2>/dev/null | grep -o 'https.*'
}

is_listening() {
    url_in_log >/dev/null
}

# The handler `append` of the demo configuration takes every event.
all_delivered() {
    has 8 'o["handler"] == "append" and o["state"] == "done"' deliveries &&
        has 0 'o["state"] in ("pending", "running")' deliveries
}

# trigger CREDENTIAL TYPE [OPTION...]
trigger() {
    local credential=$1 type=$2
    shift 2
    expect "$type, with $credential" ctl trigger "$type" --as "$credential" "$@"
}

say "A configuration of its own, in $folder"
"$build/riskhookctl" init --demo --listen 127.0.0.1:0 "$folder" || give_up "init failed"

say "riskhookd starts on a free port"
"$build/riskhookd" -c "$conf" >/dev/null 2>"$log" </dev/null &
daemon=$!
wait_until "the line 'listening on'" is_listening
url=$(url_in_log)
echo "   $url, process $daemon"

say "RiskOS evaluates a customer and asks for a review (events of category evaluation)"
trigger dashboard-basic evaluation_paused --set "data.eval_id=$eval_id"
trigger dashboard-bearer evaluation_completed --set "data.eval_id=$eval_id" \
    --set data.decision=REVIEW
say "A person takes the case and decides (category case)"
trigger dashboard-basic review_case_assigned --set "data.eval_id=$eval_id"
trigger dashboard-bearer decision_update --set "data.eval_id=$eval_id" --set data.decision=ACCEPT
say "A watchlist matches, a document arrives (categories watchlist and docv)"
trigger dashboard-bearer monitored_search_updated
trigger dashboard-basic docv_session_complete

say "OAuth 2.0: a token from /oauth/token first, then the event"
trigger dashboard-oauth case_closure
ctl token list
expect "one access token is alive" has 1 'o["credential"] == "dashboard-oauth"' token list

say "Anything that speaks HTTP can post; this is curl, with an event type that nobody knows"
user=$(option 'credential dashboard-basic' username)
password=$(cat "$folder/$(option 'credential dashboard-basic' password_file)")
answer=$(printf 'user = "%s:%s"\n' "$user" "$password" |
    curl --silent --show-error --config - --cacert "$folder/$(option server tls_certificate)" \
        --header 'Content-Type: application/json' --write-out '%{http_code}' \
        --data '{"event_id":"'"$eval_id"'-curl","event_type":"made_up_for_the_demo","data":{}}' \
        "$url$(option 'endpoint riskos' path)" | tr '\n' ' ')
echo "   $answer"
expect "200, with the event's place in the store" grep -Eq '"result": ?"stored".* 200$' <<<"$answer"

say "A password that is wrong"
answer=$(curl --silent --output /dev/null --user nobody:nothing --write-out '%{http_code}' \
    --cacert "$folder/$(option server tls_certificate)" --data '{}' \
    "$url$(option 'endpoint riskos' path)")
expect "401" [ "$answer" = 401 ]

say "The events that were kept"
ctl events
expect "8 events" has 8 True events
for category in evaluation case watchlist docv unknown; do
    expect "category $category is there" \
        [ "$(ctl events --json --category "$category" | count True)" -ge 1 ]
done

say "The evaluation: where it stands, and how it came there"
ctl evaluation "$eval_id"
expect "4 events of the evaluation" has 4 True events --eval-id "$eval_id"
expect "its decision is ACCEPT now" \
    has 1 'o.get("decision") == "ACCEPT" and "decision_changes" in o' evaluation "$eval_id"

say "The handlers run; waiting until every delivery is done"
wait_until "all deliveries done" all_delivered
ctl deliveries
expect "the handler for reviews saw those of the evaluation" \
    has 2 'o["handler"] == "review" and o["eval_id"] == "'"$eval_id"'"' deliveries
expect "each delivery is done" has 0 'o["state"] != "done"' deliveries
echo "   what the example hook wrote:"
sed 's/^/   /' "$folder/deliveries.log"
expect "it was called once for each event" [ "$(wc -l <"$folder/deliveries.log")" -eq 8 ]

say "riskhookd is told to stop (TERM)"
kill -TERM "$daemon"
wait "$daemon"
status=$?
daemon=
expect "it stops with status 0" [ "$status" -eq 0 ]
expect "its log names no secret" [ "$(grep -cF "$password" "$log")" = 0 ]
expect "with the daemon down the store still answers" has 8 True events

if [ "$failed" -eq 0 ]; then
    printf '\ndemo: everything as it should be\n'
else
    printf '\ndemo: FAILED\n' >&2
fi
exit "$failed"
