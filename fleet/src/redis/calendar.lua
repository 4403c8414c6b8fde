-- One call on the calendar of a limit: what `Calendar::apply` does. O(log hosts + runs of free slots).
--
-- KEYS  state (a hash), seen (a sorted set: 'priority host label' -> until when it counts; and '!' with the state's birth -> -1)
-- ARGV  action, 'priority host label', interval, epoch, hold, grace, window, for how many milliseconds after their last use keys are kept (0 for
--       ever); and by the action:
--       reserve: want, spacing, after, horizon, burst, gathered    give_back: born, epoch, then first, count and step of each run
--       hold: for how long    resume    retune: interval              times in microseconds
-- Answers now, born, quiet, interval, hold, epoch, hosts, below, above, kept back, next, later, taken back, and first, count and step of each run granted.
--
-- Every number is whole and below 2^53. '%.0f' writes it in full, which `tostring` does not.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local action = ARGV[1]
local known_interval, known_epoch, known_hold = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local max_runs, max_count = 64, 4294967295

local function text(number)
    return string.format('%.0f', number)
end

local function span_from(span)
    return span > 0 and now + span or 0
end

-- Runs of slots an interval apart, as {first, count}.
local free = {}
local state = redis.call('HMGET', KEYS[1], 'born', 'last', 'quiet', 'tat', 'interval', 'epoch', 'tuned', 'hold', 'free', 'low', 'bands', 'owed')
local born = state[1] and redis.call('ZSCORE', KEYS[2], '!' .. state[1]) and tonumber(state[1])
local last, quiet, tat, interval, epoch, tuned, hold, low, owed
-- How many hosts have each priority, from 0 on. Kept as '' where all have 0.
local bands = {0, 0, 0, 0, 0, 0, 0, 0}
local has_bands = false
if born then
    last, quiet, tat = tonumber(state[2]), tonumber(state[3]), tonumber(state[4])
    interval, epoch, tuned, hold = tonumber(state[5]), tonumber(state[6]), tonumber(state[7]), tonumber(state[8])
    for first, count in string.gmatch(state[9], '(%d+):(%d+)') do
        free[#free + 1] = {tonumber(first), tonumber(count)}
    end
    low, owed = tonumber(state[10]), tonumber(state[12])
    has_bands = state[11] ~= ''
    if has_bands then
        local at = 0
        for hosts in string.gmatch(state[11], '%d+') do
            at = at + 1
            bands[at] = tonumber(hosts)
        end
    else
        bands[1] = redis.call('ZCARD', KEYS[2]) - 1
    end
else
    born, last = now, now
    quiet = now + tonumber(ARGV[6])
    tat, interval, epoch, tuned, hold, low, owed = quiet, known_interval, known_epoch, 0, span_from(known_hold), 0, 0
    redis.call('DEL', KEYS[2])
    redis.call('ZADD', KEYS[2], -1, '!' .. text(born))
end

local function raise()
    epoch = math.max(epoch + 1, now)
end

if now < last then
    local back = last - now
    quiet, tat, hold = math.max(quiet - back, 0), math.max(tat - back, 0), math.max(hold - back, 0)
    low, owed = math.max(low - back, 0), math.max(owed - back, 0)
    free = {}
    raise()
    tuned = epoch
    redis.call('ZREMRANGEBYSCORE', KEYS[2], 0, '+inf')
    bands = {0, 0, 0, 0, 0, 0, 0, 0}
end
last = now

-- Slots before now are gone.
while free[1] do
    local past = math.max(math.ceil((now - free[1][1]) / interval), 0)
    if past < free[1][2] then
        free[1] = {free[1][1] + past * interval, free[1][2] - past}
        break
    end
    table.remove(free, 1)
end

-- From one of the slots to the next that are for hosts which more important ones keep back.
local function low_interval()
    return math.min(interval * 10, 2 ^ 50)
end

local function retune(new)
    if new == interval then
        return false
    end
    tat = math.max(tat - interval, 0) + new
    interval = new
    low = math.min(low, tat + low_interval())
    free = {}
    return true
end

local function set_hold(new)
    if new ~= hold and math.max(new, hold) > now then
        raise()
    end
    hold = new
end

if known_epoch > epoch then
    if retune(known_interval) then
        tuned = known_epoch
    end
    hold = span_from(known_hold)
    epoch = known_epoch
end

-- A run of free slots. Says whether there was room.
local function put(first, count)
    local at = 1
    while free[at] and free[at][1] < first do
        at = at + 1
    end
    local before, after, stop = free[at - 1], free[at], first + count * interval
    local before_stop = before and before[1] + before[2] * interval
    if before and before_stop > first or after and after[1] < stop then
        return false
    end
    local joins_before, joins_after = before_stop == first, after and after[1] == stop
    if count + (joins_before and before[2] or 0) + (joins_after and after[2] or 0) > max_count then
        return false
    end
    if joins_before and joins_after then
        before[2] = before[2] + count + after[2]
        table.remove(free, at)
    elseif joins_before then
        before[2] = before[2] + count
    elseif joins_after then
        after[1], after[2] = first, after[2] + count
    elseif #free < max_runs then
        table.insert(free, at, {first, count})
    else
        return false
    end
    return true
end

local function free_again(first, count)
    if first + count * interval > tat or not put(first, count) then
        return false
    end
    while free[1] and free[#free][1] + free[#free][2] * interval == tat do
        tat = table.remove(free)[1]
    end
    return true
end

local function take_back(first, count, step)
    local now = math.max(now, quiet)
    if count < 1 or step < 1 or first + (count - 1) * step >= tat then
        return 0
    end
    if step == interval then
        local past = math.max(math.ceil((now - first) / step), 0)
        count = count - past
        return count > 0 and free_again(first + past * step, count) and count or 0
    end
    local back = 0
    for at = count - 1, 0, -1 do
        local slot = first + at * step
        if slot < now or not free_again(slot, 1) then
            break
        end
        back = back + 1
    end
    return back
end

local granted, following, later, back = {}, 0, 0, 0

local function grant(first, count)
    local run = granted[#granted]
    if run and run[2] == 1 and count == 1 then
        run[2], run[3] = 2, first - run[1]
    elseif run and run[1] + run[2] * run[3] == first and (count == 1 or run[3] == interval) then
        run[2] = run[2] + count
    else
        granted[#granted + 1] = {first, count, interval}
    end
end

-- Takes up to `want` free slots from `from` to `stop`. Says how many, and which was the first.
local function take(from, stop, want)
    local left, at, earliest = want, 1, nil
    while left > 0 and free[at] do
        local run = free[at]
        local before = math.max(math.ceil((from - run[1]) / interval), 0)
        local first = run[1] + before * interval
        if before >= run[2] then
            at = at + 1
        elseif first > stop then
            break
        else
            local count = math.min(left, run[2] - before, math.floor((stop - first) / interval) + 1)
            local after = run[2] - before - count
            if before > 0 and after > 0 and #free == max_runs then
                break
            end
            run[2] = before
            if after > 0 then
                table.insert(free, at + 1, {first + count * interval, after})
            end
            if before == 0 then
                table.remove(free, at)
            else
                at = at + 1
            end
            grant(first, count)
            earliest = earliest or first
            left = left - count
        end
    end
    return want - left, earliest
end

-- Up to `want` slots from `from` to `stop`.
local function grant_from(from, stop, want, spacing, opens)
    local left, dense = want, spacing <= interval
    while left > 0 do
        local count, first = take(from, stop, dense and left or 1)
        if count == 0 then
            break
        end
        left = left - count
        if not dense then
            from = math.max(from + spacing, first + spacing - interval + 1)
        end
    end
    while left > 0 do
        local base = math.max(tat, opens)
        local passed = math.max(math.ceil((from - base) / interval), 0)
        local first = base + passed * interval
        if first > stop or passed > 0 and #free >= max_runs then
            break
        end
        local count = math.min(dense and left or 1, math.floor((stop - first) / interval) + 1)
        if passed > 0 then
            put(base, passed)
        end
        grant(first, count)
        tat = first + count * interval
        left = left - count
        from = math.max(from + spacing, first + spacing - interval + 1)
    end
    return want - left
end

-- The first slot from `from` on.
local function first_slot(from)
    for _, run in ipairs(free) do
        local before = math.max(math.ceil((from - run[1]) / interval), 0)
        if before < run[2] then
            return math.min(math.max(tat, from), run[1] + before * interval)
        end
    end
    return math.max(tat, from)
end

local priority = tonumber(string.match(ARGV[2], '^%d+'))

-- How many higher priorities somebody has.
local function bands_above()
    local above = 0
    for at = priority + 2, 8 do
        above = above + (bands[at] > 0 and 1 or 0)
    end
    return above
end

if action == 'reserve' then
    local want, spacing, horizon = tonumber(ARGV[9]), tonumber(ARGV[10]), tonumber(ARGV[12])
    if has_bands then
        for _, member in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], 0, '(' .. text(now))) do
            local at = tonumber(string.match(member, '^%d+')) + 1
            bands[at] = bands[at] - 1
        end
    end
    local gone = redis.call('ZREMRANGEBYSCORE', KEYS[2], 0, '(' .. text(now))
    if not has_bands then
        bands[1] = bands[1] - gone
    end
    bands[priority + 1] = bands[priority + 1] + redis.call('ZADD', KEYS[2], text(now + ARGV[7]), ARGV[2])

    local opens = math.max(now, quiet, hold)
    local from, stop, left = math.max(opens, now + ARGV[11]), now + horizon, want
    if tonumber(ARGV[11]) == 0 then
        local start = math.max(tat, hold, quiet, now - math.max(ARGV[13] - 1, 0) * interval)
        local past = math.max(math.ceil((now - start) / interval), 0)
        local count = math.min(past, tonumber(ARGV[14]))
        if count > 0 then
            granted[1] = {start, count, interval}
            tat = start + count * interval
            left = past > count and 0 or math.max(left - count, 0)
        end
    end
    local above = bands_above()
    -- How far ahead a lease may begin for those who are not the most important ones.
    local reach = above > 0 and math.floor(math.min(250000, math.floor(horizon / 2)) / 2 ^ math.min(above, 3))
    -- So much of the horizon is left for the slot that is theirs.
    local left_out = owed > now and math.min(low_interval(), math.floor(horizon / 4)) or 0
    if not reach then
        grant_from(from, stop - left_out, left, spacing, opens)
    elseif math.max(tat, opens) <= now + reach then
        grant_from(from, stop, left, spacing, opens)
    else
        grant_from(from, now + reach, left, spacing, opens)
        if #granted == 0 then
            local count = grant_from(math.max(from, low), stop, left, math.max(spacing, low_interval()), opens)
            local run = granted[#granted]
            if run then
                owed = 0
                low = math.max(low + low_interval() * count, run[1] + (run[2] - 1) * run[3])
            end
        end
    end
    if #granted == 0 then
        following = first_slot(from)
        if not reach then
            later = left_out
        else
            if left > 0 and low <= now + horizon then
                owed = now + 2 * horizon
            end
            local own = first_slot(math.max(from, low))
            if own + reach <= following + horizon then
                following = own
            else
                later = horizon - reach
            end
        end
    end
elseif action == 'give_back' then
    if tonumber(ARGV[9]) == born and tonumber(ARGV[10]) >= tuned then
        for at = #ARGV - 2, 11, -3 do
            back = back + take_back(tonumber(ARGV[at]), tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2]))
        end
    end
elseif action == 'hold' then
    set_hold(math.max(hold, now + ARGV[9]))
elseif action == 'resume' then
    set_hold(0)
elseif retune(tonumber(ARGV[9])) then
    raise()
    tuned = epoch
end

local below, kept_back, all = 0, 0, 0
for at = 1, 8 do
    if bands[at] > 0 then
        kept_back = all
    end
    all = all + bands[at]
    if at == priority then
        below = all
    end
end
has_bands = all > bands[1]

local runs = {}
for at, run in ipairs(free) do
    runs[at] = text(run[1]) .. ':' .. text(run[2])
end
redis.call('HSET', KEYS[1], 'born', text(born), 'last', text(last), 'quiet', text(quiet), 'tat', text(tat),
    'interval', text(interval), 'epoch', text(epoch), 'tuned', text(tuned), 'hold', text(hold), 'free', table.concat(runs, ','),
    'low', text(low), 'owed', text(owed), 'bands', has_bands and table.concat(bands, ',') or '')
-- After the last slot, the last hold and the last call.
local keep = tonumber(ARGV[8])
for _, key in ipairs({KEYS[1], KEYS[2]}) do
    if keep == 0 then
        redis.call('PERSIST', key)
    else
        redis.call('PEXPIRE', key, text(math.floor((math.max(tat, hold, now) - now) / 1000) + keep))
    end
end

local answer = {now, born, quiet, interval, math.max(hold - now, 0), epoch, all, below, bands_above(), kept_back, following, later, back}
for _, run in ipairs(granted) do
    answer[#answer + 1] = run[1]
    answer[#answer + 1] = run[2]
    answer[#answer + 1] = run[3]
end
return answer
