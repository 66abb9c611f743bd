-- SPDX-License-Identifier: Apache-2.0
--
-- wrk script: posts one fixture, made unique in each request, and prints the result as JSON.
--
-- The body is cut once into the pieces around its event_id and eval_id. A request is then nothing
-- but joining these pieces and a counter; all ids have the same length, so the head is constant.
--
-- The first 8 digits of an id are scattered as those of a real one are, so that each event goes to
-- another place of every index; with ids that count up all go to one page, and about a third of the
-- bytes is written. The tag that follows tells the runs apart.
--
-- With BENCH_RATE requests are due at fixed times, 1/rate apart from the first one on, whatever the
-- answers do: slot n is at n/rate, and the next connection that is free waits for it (in whole
-- milliseconds, wrk's clock) or is late for it. So the offered rate holds for as long as not all
-- connections wait for answers. wrk's latency is from the send to the whole answer; how late the
-- sends were against their slots is reported beside it, as "late". A server that stalls shows in
-- both: wrk also counts what a stall of over two intervals would have delayed on one connection.
--
-- environment: BENCH_BODY (file), BENCH_PATH, BENCH_AUTHORIZATION, BENCH_TAG (xxxx-xxxx, hex digits
-- that no other run uses), BENCH_FIXED=1 (the same bytes every time, to see what the joining costs),
-- BENCH_RATE (requests a second; as fast as answers come when empty), BENCH_CLOSE=1 (a new
-- connection for each request), BENCH_IDS=sequential (ids that count up, to see what scattered ones
-- cost)

local ffi = require("ffi")

ffi.cdef([[
    struct timespec { long tv_sec; long tv_nsec; };
    int clock_gettime(int clock, struct timespec *time);
]])

local time = ffi.new("struct timespec")

local function now_ms()
    local CLOCK_MONOTONIC = 1
    ffi.C.clock_gettime(CLOCK_MONOTONIC, time)
    return tonumber(time.tv_sec) * 1e3 + tonumber(time.tv_nsec) / 1e6
end

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

-- 8 hex digits: each number below 2^32 once, far from the one before; exact for 3 million requests
local step = os.getenv("BENCH_IDS") == "sequential" and 0 or 2654435761

local function scatter(n, offset)
    return string.format("%08x", (n * step + offset) % 4294967296)
end

-- a function that builds the next request
local function builder()
    local pieces = cut(read_file(os.getenv("BENCH_BODY")))
    local tag = os.getenv("BENCH_TAG")
    local offset = tonumber((tag:gsub("-", "")), 16)
    local head = {
        "POST " .. os.getenv("BENCH_PATH") .. " HTTP/1.1",
        "Host: " .. wrk.host .. ":" .. wrk.port,
        "Authorization: " .. os.getenv("BENCH_AUTHORIZATION"),
        "Content-Type: application/json",
        "Content-Length: " .. #table.concat(pieces) + 2 * 36,
    }
    if os.getenv("BENCH_CLOSE") == "1" then
        head[#head + 1] = "Connection: close"
    end

    local p1 = table.concat(head, "\r\n") .. "\r\n\r\n" .. pieces[1]
    local p2 = "-" .. tag .. "-8000-"
    local p3 = pieces[2]
    local p4 = "-" .. tag .. "-9000-"
    local p5 = pieces[3]
    local sent, format = 0, string.format

    return function()
        sent = sent + 1
        local x, n = scatter(sent, offset), format("%012d", sent)
        return p1 .. x .. p2 .. n .. p3 .. x .. p4 .. n .. p5
    end
end

-- requests at their slots: delay() gives a connection the next slot, request() takes the earliest
-- one given. Globals, because done() runs in a state of its own and asks each thread for them.
local function keep_schedule(rate, build)
    local lead, interval, given = 100, 1000 / rate, 0
    late = {}

    function delay()
        local now = now_ms()
        first_slot = first_slot or now + lead -- when all connections are there
        given = given + 1
        return math.max(0, math.ceil(first_slot + (given - 1) * interval - now))
    end

    function request()
        if #late < given then -- wrk tries the script out once before it begins
            late[#late + 1] = now_ms() - (first_slot + #late * interval)
        end
        return build()
    end
end

local threads = {}

function setup(thread)
    threads[#threads + 1] = thread
end

function init(args)
    local build, rate = builder(), tonumber(os.getenv("BENCH_RATE"))
    if rate then
        keep_schedule(rate, build)
    elseif os.getenv("BENCH_FIXED") == "1" then
        local fixed = build()
        request = function() return fixed end
    else
        request = build
    end
end

-- duration in microseconds since the first slot, and how late the sends were
local function lateness()
    local duration, found = 0, {}
    for _, thread in ipairs(threads) do
        for _, ms in ipairs(thread:get("late")) do
            found[#found + 1] = ms * 1000
        end
        duration = math.max(duration, (now_ms() - thread:get("first_slot")) * 1000)
    end
    table.sort(found)
    local function at(percent) return found[math.max(1, math.ceil(#found * percent / 100))] end
    return duration, string.format(', "late_p50": %d, "late_p99": %d, "late_max": %d',
                                   at(50), at(99), at(100))
end

function done(summary, latency)
    local errors, duration, late = summary.errors, summary.duration, ""
    if tonumber(os.getenv("BENCH_RATE")) then
        duration, late = lateness()
    end
    io.write("RESULT ", string.format(
        '{"requests": %d, "duration_us": %d, "bytes": %d, "not_2xx": %d, "connect": %d, ' ..
        '"read": %d, "write": %d, "timeout": %d, ' ..
        '"p50": %d, "p90": %d, "p99": %d, "p999": %d, "max": %d%s}\n',
        summary.requests, duration, summary.bytes, errors.status, errors.connect,
        errors.read, errors.write, errors.timeout,
        latency:percentile(50), latency:percentile(90), latency:percentile(99),
        latency:percentile(99.9), latency.max, late))
end
