-- Sets the interval, from the last slot granted on: what `Calendar::retune` does, in O(1).
--
-- KEYS  state (a hash)
-- ARGV  the interval in microseconds
-- Answers the new epoch.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local text = string.format
local interval = tonumber(ARGV[1])

local state = redis.call('HMGET', KEYS[1], 'tat', 'interval', 'epoch', 'hold')
local epoch = state[3] and math.max(tonumber(state[3]) + 1, now) or now
local tat = 0
if state[1] and state[2] then
    tat = math.max(tonumber(state[1]) - tonumber(state[2]), 0) + interval
    redis.call('HSET', KEYS[1], 'tat', text('%.0f', tat))
end

redis.call('HSET', KEYS[1], 'interval', text('%.0f', interval), 'epoch', text('%.0f', epoch))
-- As in `reserve`: a week after all of them.
local last = math.max(tat, tonumber(state[4] or 0), now)
redis.call('PEXPIRE', KEYS[1], text('%.0f', math.floor((last - now) / 1000) + 604800000))
return epoch
