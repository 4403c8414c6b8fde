-- Grants the next slots of a limit: what `Calendar::reserve` does. Reading and writing take O(1), pruning O(expired).
--
-- KEYS  state (a hash), seen (a sorted set: host -> its latest ask)
-- ARGV  host, want, interval, horizon, grace, seen; times in microseconds
-- Answers count, now, start, interval, hosts, epoch.
--
-- Every number is whole and below 2^53. '%.0f' writes it in full, which `tostring` does not.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local text = string.format
local want, horizon, grace = tonumber(ARGV[2]), tonumber(ARGV[4]), tonumber(ARGV[5])

local state = redis.call('HMGET', KEYS[1], 'tat', 'interval', 'epoch', 'hold')
local interval = tonumber(state[2] or ARGV[3])
local epoch = tonumber(state[3] or now)
local hold = tonumber(state[4] or 0)
local tat = math.min(tonumber(state[1] or now + grace), now + math.max(grace, horizon + interval))

redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', text('(%.0f', math.max(now - ARGV[6], 0)))
redis.call('ZREMRANGEBYSCORE', KEYS[2], text('(%.0f', now), '+inf')
redis.call('ZADD', KEYS[2], text('%.0f', now), ARGV[1])
local hosts = redis.call('ZCARD', KEYS[2])

local start = math.max(tat, now, hold)
local count = 0
if start <= now + horizon then
    count = math.min(want, math.floor((now + horizon - start) / interval) + 1)
end
if count > 0 then
    tat = start + count * interval
end

redis.call('HSET', KEYS[1], 'tat', text('%.0f', tat), 'interval', text('%.0f', interval), 'epoch', text('%.0f', epoch))
-- A week, in milliseconds, after the last slot, the last hold and the last ask.
local keep = 604800000
redis.call('PEXPIRE', KEYS[1], text('%.0f', math.floor((math.max(tat, hold, now) - now) / 1000) + keep))
redis.call('PEXPIRE', KEYS[2], text('%.0f', keep))

return {count, now, start, interval, hosts, epoch}
