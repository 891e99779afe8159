-- An exact sliding window for every key of one request: all of them count, or none does.
-- KEYS: one sorted set a rule, a member a counted call: the microsecond of that call, its score too.
-- ARGV: `count`, or `look` for answers that change nothing; then for each key its limit and window in microseconds.
-- Answers for each key: how many calls stood before this one, and the microseconds until the oldest leaves.
-- Redis's own clock decides, so that no two machines need agree on the time.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local answer = {}
local refused = ARGV[1] ~= 'count'

for number, key in ipairs(KEYS) do
    local limit = tonumber(ARGV[2 * number])
    local window = tonumber(ARGV[2 * number + 1])
    -- What somebody else wrote under our key is no window.
    if type(redis.pcall('ZREMRANGEBYSCORE', key, '-inf', now - window)) ~= 'number' then
        redis.call('DEL', key)
    end
    local count = redis.call('ZCARD', key)
    local oldest = redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')[2]
    answer[2 * number - 1] = count
    answer[2 * number] = oldest and (tonumber(oldest) + window - now) or window
    refused = refused or count >= limit
end

-- A refused call is not counted: patience is rewarded.
if not refused then
    for number, key in ipairs(KEYS) do
        -- Two calls never share a member, not within one microsecond and not when the clock was set back.
        local newest = redis.call('ZRANGE', key, -1, -1, 'WITHSCORES')[2]
        local mark = string.format('%.0f', math.max(now, newest and tonumber(newest) + 1 or 0))
        redis.call('ZADD', key, mark, mark)
        redis.call('PEXPIRE', key, math.ceil(tonumber(ARGV[2 * number + 1]) / 1000))
    end
end
return answer
