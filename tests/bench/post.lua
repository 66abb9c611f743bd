-- SPDX-License-Identifier: Apache-2.0
--
-- wrk script: posts one fixture, made unique in each request, and prints the result as JSON.
--
-- The body is cut once into the pieces around its event_id and eval_id. A request is then nothing
-- but joining these pieces and a counter; all ids have the same length, so the head is constant.
--
-- environment: BENCH_BODY (file), BENCH_PATH, BENCH_AUTHORIZATION, BENCH_TAG (8 hex digits that no
-- other run uses), BENCH_FIXED=1 (the same bytes every time, to see what the joining costs)

local function read_file(name)
    local f = assert(io.open(name, "rb"))
    local text = f:read("*a")
    f:close()
    return text
end

-- everything before, between and behind the values of the two members
local function cut(body)
    local pieces, from = {}, 1
    for _, key in ipairs({ "event_id", "eval_id" }) do
        local head, first, last = body:match('()"' .. key .. '"%s*:%s*"()[^"]*()"', from)
        assert(head, key .. " not found behind position " .. from)
        pieces[#pieces + 1] = body:sub(from, first - 1)
        from = last
    end
    pieces[#pieces + 1] = body:sub(from)
    return pieces
end

local sent = 0

function init(args)
    local pieces = cut(read_file(os.getenv("BENCH_BODY")))
    local tag = os.getenv("BENCH_TAG")
    local length = #table.concat(pieces) + 2 * 36
    local format = string.format

    local head = table.concat({
        "POST " .. os.getenv("BENCH_PATH") .. " HTTP/1.1",
        "Host: " .. wrk.host .. ":" .. wrk.port,
        "Authorization: " .. os.getenv("BENCH_AUTHORIZATION"),
        "Content-Type: application/json",
        "Content-Length: " .. length,
    }, "\r\n") .. "\r\n\r\n"

    local p1 = head .. pieces[1] .. tag .. "-0000-4000-8000-"
    local p2 = pieces[2] .. tag .. "-0000-4000-9000-"
    local p3 = pieces[3]

    local function build()
        sent = sent + 1
        local n = format("%012d", sent)
        return p1 .. n .. p2 .. n .. p3
    end

    if os.getenv("BENCH_FIXED") == "1" then
        local fixed = build()
        request = function() return fixed end
    else
        request = build
    end
end

function done(summary, latency)
    local errors = summary.errors
    io.write("RESULT ", string.format(
        '{"requests": %d, "duration_us": %d, "bytes": %d, "not_2xx": %d, "connect": %d, ' ..
        '"read": %d, "write": %d, "timeout": %d, ' ..
        '"p50": %d, "p90": %d, "p99": %d, "p999": %d, "max": %d}\n',
        summary.requests, summary.duration, summary.bytes, errors.status, errors.connect,
        errors.read, errors.write, errors.timeout,
        latency:percentile(50), latency:percentile(90), latency:percentile(99),
        latency:percentile(99.9), latency.max))
end
