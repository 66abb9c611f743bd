#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Fails when an #include breaks the layer rules of src/README.md:
#
#   util < core < jq, store/model < pure modules < credentials < store < requests, workers, handlers
#        < listener, dispatcher, admin < riskhookd
#
# - a file includes its own folder or something from a lower layer, never the other way round;
# - intake/ and dispatch/ never include each other: they meet in store/;
# - riskhookctl is a program of its own: it uses util, core, jq and store;
# - each library is confined to the files that wrap it;
# - pure modules take the time as a parameter: they do not see the clock.
#
# The check first proves on planted includes that it would notice each of these.
#
# usage: layers.sh [SRC]
set -eu

# "FILE:LINE INCLUDED" for every include of the tree, FILE relative to it
list_includes() {
    (cd "$1" && find . -name '*.[ch]' | sort | sed 's|^\./||' | xargs -r awk '
        /^[ \t]*#[ \t]*include[ \t]/ {
            sub(/^[ \t]*#[ \t]*include[ \t]*/, "")
            match($0, /^("[^"]*"|<[^>]*>)/)
            print FILENAME ":" FNR, substr($0, 2, RLENGTH - 2)
        }')
}

# print every broken rule of the tree; status 1 when there is one
check_tree() {
    list_includes "$1" | awk '
    BEGIN {
        # The first row that matches counts. store/model is words alone (states, outcomes), which
        # the pure modules speak too.
        n = split("^util/=0 ^core/=1 ^jq/=2 ^store/model\\.=2 " \
            "^intake/(address|answer|auth_waiter|claims|event|form|introspection|json_decode|json_marks|json_scan|json_wants|jwks|jwt|throttle|token_params|verdicts)\\.=3 " \
            "^intake/(auth(_[a-z]+)?|clients|credential|key_source|login|outbound|token_endpoint|tokens)\\.=3.5 " \
            "^dispatch/(attempt|exec_env|protocol|retry|router)\\.=3 " \
            "^store/=4 ^intake/listener\\.=6 ^dispatch/dispatcher\\.=6 ^(intake|dispatch)/=5 " \
            "^admin/=6 ^riskhookd/=7 ^riskhookctl/=7", rows, " ")
        for (i = 1; i <= n; i++) {
            split(rows[i], pair, "=")
            layer_re[i] = pair[1]
            layer_no[i] = pair[2]
        }
        n_layers = n

        # library header -> the files that may include it
        library["^openssl/"]    = "^(core/crypto|core/tls_pair|riskhookctl/certificate(_chain)?)\\.c$"
        library["^gnutls/"]     = "^intake/tls\\.c$"
        library["^sqlite3"]     = "^store/"
        library["^microhttpd"]  = "^(intake/(listener|connections|exchange|request|request_head|token_request)|admin/[a-z_]+)\\.[ch]$"
        library["^ini\\.h"]     = "^core/config\\.c$"
        library["^(jq|jv)\\.h"] = "^jq/evaluator\\.c$"
        library["^systemd/"]    = "^(core/log_journal\\.c|riskhookd/[a-z_]+\\.c)$"
        library["^curl/"]       = "^(riskhookctl/libcurl\\.h|intake/outbound\\.c)$"
        library["^cjose/"]      = "^intake/jwks\\.c$"
        library["^zstd"]        = "^store/payload\\.c$"
        library["^jansson"]     = "^(store|dispatch|admin|riskhookd|riskhookctl|intake/(claims|introspection|jwks|jwt)\\.c)"
    }

    function layer(path,   i) {
        for (i = 1; i <= n_layers; i++)
            if (path ~ layer_re[i])
                return layer_no[i]
        return -1
    }

    function folder(path) {
        sub(/\/.*/, "", path)
        return path
    }

    function complain(why) {
        print $1 ": " why
        bad = 1
    }

    # why may the file `from` not include our header `to`? empty when it may
    function broken(from, to,   a, b) {
        a = folder(from)
        b = folder(to)
        if ((a == "intake" && b == "dispatch") || (a == "dispatch" && b == "intake"))
            return "intake/ and dispatch/ meet in store/ only"
        if (a == "riskhookctl" && b !~ /^(util|core|jq|store|riskhookctl)$/)
            return "riskhookctl uses util, core, jq and store only"
        if (layer(from) == 3 && to == "core/clock.h")
            return "a pure module takes the time as a parameter"
        if (layer(to) > layer(from))
            return "is in a higher layer"
        if (a != b && layer(to) == layer(from))
            return "is beside it, not below it"
        return ""
    }

    {
        from = $1
        sub(/:.*/, "", from)
        to = $2
        if (layer(from) < 0)
            complain("is in no known layer")
        for (re in library)
            if (to ~ re && from !~ library[re])
                complain("<" to "> is confined to " library[re])
        if (layer(to) >= 0 && (why = broken(from, to)) != "")
            complain("\"" to "\" " why)
    }

    END { exit bad }'
}

# plant FILE INCLUDE: does the check notice it in a tree that is otherwise empty?
expect() {
    wanted=$1 file=$2 include=$3
    rm -rf "$scratch/src"
    mkdir -p "$scratch/src/$(dirname "$file")"
    printf '#include %s\n' "$include" >"$scratch/src/$file"
    if check_tree "$scratch/src" >/dev/null; then got=good; else got=bad; fi
    [ "$got" = "$wanted" ] || {
        echo "layers.sh: self-test: $include in $file is taken as $got, not $wanted" >&2
        exit 2
    }
}

self_test() {
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
    expect bad util/buf.c '"core/log.h"'
    expect bad core/log.c '"store/store.h"'
    expect bad intake/auth.c '"store/store.h"'
    expect bad intake/event.c '"core/clock.h"'
    expect bad intake/event.c '<jansson.h>'
    expect bad store/model.c '"intake/event.h"'
    expect bad store/store.c '"intake/listener.h"'
    expect bad intake/request.h '"intake/listener.h"'
    expect bad intake/listener.c '"dispatch/dispatcher.h"'
    expect bad dispatch/router.c '"intake/event.h"'
    expect bad admin/admin.c '"dispatch/dispatcher.h"'
    expect bad dispatch/worker.c '"riskhookd/daemon.h"'
    expect bad riskhookctl/main.c '"admin/admin.h"'
    expect bad intake/auth.c '<openssl/crypto.h>'
    expect bad riskhookctl/events.c '<sqlite3.h>'
    expect bad dispatch/dispatcher.c '<sqlite3.h>'
    expect bad intake/auth.h '<microhttpd.h>'
    expect bad core/options.c '<ini.h>'
    expect bad dispatch/routing.c '<jq.h>'
    expect bad jq/host.c '"store/store.h"'
    expect bad intake/listener.c '<gnutls/gnutls.h>'
    expect bad store/store.c '<systemd/sd-daemon.h>'
    expect bad riskhookctl/main.c '<curl/curl.h>'
    expect bad intake/key_source.c '<curl/curl.h>'
    expect bad intake/jwt.c '<cjose/cjose.h>'
    expect bad intake/jwt.c '"intake/outbound.h"'
    expect bad store/store.c '<zstd.h>'
    expect good intake/jwks.c '<cjose/cjose.h>'
    expect bad elsewhere/thing.c '"util/buf.h"'
    expect good jq/evaluator.c '<jq.h>'
    expect good riskhookctl/cmd_setup.c '"jq/check.h"'
    expect good core/crypto.c '<openssl/evp.h>'
    expect good dispatch/router.h '"store/model.h"'
    expect good dispatch/exec.c '"core/clock.h"'
    expect good store/store.c '"intake/event.h"'
    expect good store/store.c '<sqlite3.h>'
    expect good intake/tls.c '<gnutls/gnutls.h>'
    expect good intake/request.c '"store/store.h"'
    expect good admin/admin.c '<microhttpd.h>'
    expect good riskhookd/daemon.c '"dispatch/dispatcher.h"'
    expect good riskhookctl/query.c '"store/query.h"'
}

self_test
src=${1:-$(dirname "$0")/../../src}
check_tree "$src" || {
    echo "layers.sh: the includes above break the layer rules (src/README.md)" >&2
    exit 1
}
echo "layers: $(list_includes "$src" | wc -l) includes keep the rules"
