-- Takes slots back: what `Calendar::give_back` does, in O(1).
--
-- KEYS  state (a hash)
-- ARGV  the lease's start, count, interval and epoch; how many to take back
-- Answers 1 if they are free again, else 0.
local start, count, interval = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local epoch, back = tonumber(ARGV[4]), tonumber(ARGV[5])

local state = redis.call('HMGET', KEYS[1], 'tat', 'epoch')
local finish = start + count * interval
if tonumber(state[1] or -1) ~= finish or tonumber(state[2] or -1) ~= epoch or back < 1 or back > count then
    return 0
end
-- The keys' expiry stays: it is later than it needs to be.
redis.call('HSET', KEYS[1], 'tat', string.format('%.0f', finish - back * interval))
return 1
