-- Grants nothing for a while, or ends that: what `Calendar::hold` does, in O(1).
--
-- KEYS  state (a hash)
-- ARGV  for how long, in microseconds; 0 ends a hold
-- Answers the new epoch.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local text = string.format
local span = tonumber(ARGV[1])

local state = redis.call('HMGET', KEYS[1], 'tat', 'epoch', 'hold')
local tat = tonumber(state[1] or 0)
local epoch = state[2] and math.max(tonumber(state[2]) + 1, now) or now
local hold = 0
if span > 0 then
    hold = math.max(tonumber(state[3] or 0), now + span)
end

redis.call('HSET', KEYS[1], 'hold', text('%.0f', hold), 'epoch', text('%.0f', epoch))
-- As in `reserve`: a week after all of them.
redis.call('PEXPIRE', KEYS[1], text('%.0f', math.floor((math.max(tat, hold, now) - now) / 1000) + 604800000))
return epoch
